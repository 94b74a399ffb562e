-- KEYS: phase, claim. ARGV: pod, seconds to live.
if not redis.call('GET', KEYS[1]) then
  return {'phase gone'}
end
local holder = redis.call('GET', KEYS[2])
if holder and holder ~= ARGV[1] then
  return {'held', holder}
end
redis.call('SET', KEYS[2], ARGV[1], 'EX', ARGV[2])
return {'claimed'}
