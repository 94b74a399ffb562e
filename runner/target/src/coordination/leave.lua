-- KEYS: phase, ready, start, stop, claim, lock. ARGV: dyno, pod, lock's value, database,
-- seconds that the lock outlives the last dyno.
-- Who is not among those that are ready cannot tell whether it is the last of them: it never was, it
-- has left before, or the target has evicted them all.
local was_ready = redis.call('HGET', KEYS[2], ARGV[1]) == ARGV[2]
if was_ready then
  redis.call('HDEL', KEYS[2], ARGV[1])
end
if redis.call('GET', KEYS[5]) == ARGV[2] then
  redis.call('UNLINK', KEYS[5])
end
-- Before the start others may still be on their way and must find the phase. A stop that is a
-- number was the start.
local started = redis.call('GET', KEYS[3]) or tonumber(redis.call('GET', KEYS[4]) or '')
if not was_ready or not started or redis.call('HLEN', KEYS[2]) > 0 then
  return {'left'}
end
redis.call('UNLINK', KEYS[1], KEYS[3], KEYS[4])
at_lock(ARGV[4], function()
  if redis.call('GET', KEYS[6]) ~= ARGV[3] then
    return
  end
  if ARGV[5] == '0' then
    redis.call('UNLINK', KEYS[6])
  else
    redis.call('EXPIRE', KEYS[6], ARGV[5])
  end
end)
return {'last'}
