-- KEYS: stop, start. ARGV: reason, seconds to live.
if redis.call('GET', KEYS[1]) then
  return {'was stopped'}
end
local set = redis.pcall('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
if set.err then
  -- A full Redis refuses SET but not RENAME, and after the start nobody needs its instant any more.
  if not redis.call('GET', KEYS[2]) then
    return set
  end
  redis.call('RENAME', KEYS[2], KEYS[1])
end
return {'stopped'}
