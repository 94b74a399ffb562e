-- The lock lives in database 0 whatever database the run uses, where SELECT is allowed; else in
-- the run's own. Every script finds it by this one rule. SELECT in a script ends with the script.
local function at_lock(database, action)
  if database == '0' then
    return action()
  end
  local moved = not redis.pcall('SELECT', '0').err
  local result = action()
  if moved then
    redis.call('SELECT', database)
  end
  return result
end
