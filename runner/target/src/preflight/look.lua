-- KEYS: phase, lock. ARGV: database.
local phase = redis.call('GET', KEYS[1])
return at_lock(ARGV[1], function()
  local holder = redis.call('GET', KEYS[2])
  return {phase or '', holder or '', redis.call('PTTL', KEYS[2])}
end)
