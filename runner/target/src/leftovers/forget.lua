-- All data of a run is gone: so goes whatever else it had.
-- KEYS: runs, the run's inventory, its coordination keys. ARGV: uid.
local removed = 0
for index = 2, #KEYS do
  removed = removed + redis.call('UNLINK', KEYS[index])
end
removed = removed + redis.call('HDEL', KEYS[1], ARGV[1])
return {removed}
