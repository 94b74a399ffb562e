-- KEYS: lock, then the run's coordination keys. ARGV: database, lock's value.
local removed = 0
for index = 2, #KEYS do
  removed = removed + redis.call('UNLINK', KEYS[index])
end
local lock = 'free'
at_lock(ARGV[1], function()
  local holder = redis.call('GET', KEYS[1])
  if holder == ARGV[2] then
    removed = removed + redis.call('UNLINK', KEYS[1])
    lock = 'released'
  elseif holder then
    lock = 'held by another run'
  end
end)
return {removed, lock}
