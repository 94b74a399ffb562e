-- Keeps the lock, and sees what the target evicts.
-- KEYS: phase, lock. ARGV: database, lock's value, 1 if evictions matter.
--
-- Where a target evicts keys it may evict the lock, and the next run would take the target from under
-- this one: as long as the phase is there the lock is set again for as long as that lives. To ask for
-- both keys keeps a target from evicting them that goes by how long nobody has used a key.
local phase = redis.call('GET', KEYS[1])
local lifetime = redis.call('PTTL', KEYS[1])
local holder
at_lock(ARGV[1], function()
  holder = redis.call('GET', KEYS[2])
  if not holder and phase and lifetime > 0 then
    -- A full target that evicts nothing refuses that, and it has not evicted the lock.
    if not redis.pcall('SET', KEYS[2], ARGV[2], 'PX', lifetime).err then
      holder = ARGV[2]
    end
  end
end)
local evicted
if ARGV[3] == '1' then
  local info = redis.pcall('INFO', 'stats')
  evicted = type(info) == 'string' and string.match(info, 'evicted_keys:(%d+)')
end
return {holder or '', evicted or ''}
