-- KEYS: phase, claim, ready, start. ARGV: dyno, pod, seconds to live.
if not redis.call('GET', KEYS[1]) then
  return {'phase gone'}
end
local holder = redis.call('GET', KEYS[2])
if holder ~= ARGV[2] then
  return {'held', holder or ''}
end
if redis.call('GET', KEYS[4]) then
  if redis.call('HGET', KEYS[3], ARGV[1]) == ARGV[2] then
    return {'marked'}
  end
  return {'too late'}
end
redis.call('HSET', KEYS[3], ARGV[1], ARGV[2])
redis.call('EXPIRE', KEYS[3], ARGV[3])
return {'marked'}
