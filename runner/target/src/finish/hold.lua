-- Holds the lock on to the end of the finish, if it is this run's and would not last so long.
-- KEYS: lock. ARGV: database, lock's value, seconds.
at_lock(ARGV[1], function()
  local is_ours = redis.call('GET', KEYS[1]) == ARGV[2]
  if is_ours and redis.call('PTTL', KEYS[1]) < ARGV[3] * 1000 then
    redis.call('EXPIRE', KEYS[1], ARGV[3])
  end
end)
return redis.status_reply('OK')
