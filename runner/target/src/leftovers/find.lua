-- The runs that have data in this database, and whose run holds the lock. Both in one step: a run
-- writes its name and takes the lock in one step, too, so one that is named and does not hold the
-- lock has ended.
-- KEYS: lock, runs. ARGV: database.
local holder
at_lock(ARGV[1], function()
  holder = redis.call('GET', KEYS[1])
end)
local found = {holder or ''}
for _, word in ipairs(redis.call('HGETALL', KEYS[2])) do
  found[#found + 1] = word
end
return found
