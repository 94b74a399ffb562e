-- KEYS: phase, ready, start, stop, claim, lock.
-- ARGV: dyno, pod, planned dynos, margin in seconds, seconds to live, lock's value, database.
local stop = redis.call('GET', KEYS[4])
if stop then
  return {'stopped', stop}
end
if not redis.call('GET', KEYS[1]) then
  return {'phase gone'}
end
local mine = redis.call('HGET', KEYS[2], ARGV[1]) == ARGV[2]
local start = redis.call('GET', KEYS[3])
if start and not mine then
  return {'too late'}
end
if not start then
  local ready = redis.call('HLEN', KEYS[2])
  if not mine or ready < tonumber(ARGV[3]) then
    return {'waiting', ready}
  end
  local time = redis.call('TIME')
  -- Microseconds since the epoch are exact in a double until the year 2255.
  start = string.format('%.0f', (time[1] + ARGV[4]) * 1000000 + time[2])
  redis.call('SET', KEYS[3], start, 'EX', ARGV[5])
end
for _, key in ipairs({KEYS[1], KEYS[2], KEYS[3], KEYS[5]}) do
  redis.call('EXPIRE', key, ARGV[5])
end
at_lock(ARGV[7], function()
  if redis.call('GET', KEYS[6]) == ARGV[6] then
    redis.call('EXPIRE', KEYS[6], ARGV[5])
  end
end)
return {'start', start}
