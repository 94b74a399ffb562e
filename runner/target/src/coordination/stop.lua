-- KEYS: stop, start, phase. ARGV: reason, seconds to live.
if redis.call('GET', KEYS[1]) then
  return {'was stopped'}
end
local set = redis.pcall('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
if set.err then
  -- A full Redis refuses SET but not RENAME, and after the start nobody needs its instant any more;
  -- before it, nobody needs the phase of a run that is over.
  local spent = redis.call('GET', KEYS[2]) and KEYS[2] or KEYS[3]
  if not redis.call('GET', spent) then
    return set
  end
  redis.call('RENAME', spent, KEYS[1])
end
return {'stopped'}
