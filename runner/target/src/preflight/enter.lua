-- Lock, flush and phase in one step: whatever is found and whatever is done belongs together.
-- KEYS: phase, lock, disposable, runs, inventory, spared.
-- ARGV: database, lock's value, pod, seconds to live, none|database|all, uid, the run's name,
-- inventory ('' if the run's data may stay), evicted keys ('' if nobody's are to be spared), prefixes
-- of the run's data.
if redis.call('GET', KEYS[1]) then
  return {'already passed'}
end
local holder, lifetime
at_lock(ARGV[1], function()
  holder = redis.call('GET', KEYS[2])
  lifetime = redis.call('PTTL', KEYS[2])
end)
if holder and holder ~= ARGV[2] then
  return {'busy', holder, lifetime}
end

-- The first key of the selected database that forbids wiping it, or how many there are if they
-- are too many to be looked at; nil if there is none. What the disposable marker holds comes second.
local MOST = 1000
local function begins(text, prefix)
  return string.sub(text, 1, #prefix) == prefix
end
local function is_ours(key)
  if begins(key, 'redyno:') then
    return true
  end
  for index = 10, #ARGV do
    if begins(key, ARGV[index]) then
      return true
    end
  end
  return false
end
local function foreign()
  local marker = redis.pcall('GET', KEYS[3])
  -- A marker of another type is one; a marker that may not be read is none.
  local unreadable = type(marker) == 'table' and not begins(marker.err or '', 'WRONGTYPE')
  if marker and not unreadable then
    return nil, type(marker) == 'string' and marker or '1'
  end
  local size = redis.call('DBSIZE')
  if size > MOST then
    return size
  end
  local cursor = '0'
  repeat
    local page = redis.call('SCAN', cursor, 'COUNT', MOST)
    cursor = page[1]
    for _, key in ipairs(page[2]) do
      if not is_ours(key) then
        return key
      end
    end
  until cursor == '0'
end

local flushed = 0
if ARGV[5] ~= 'none' then
  local clients = string.match(redis.call('INFO', 'clients'), 'connected_clients:(%d+)')
  if not clients then
    return {'flush denied', 'INFO does not say how many clients are connected'}
  end
  if tonumber(clients) > 1 then
    return {'other clients', tonumber(clients) - 1}
  end
  local databases = {ARGV[1]}
  if ARGV[5] == 'all' then
    if redis.pcall('SELECT', '0').err then
      return {'select denied'}
    end
    databases = {}
    for number in string.gmatch(redis.call('INFO', 'keyspace'), 'db(%d+):keys=') do
      databases[#databases + 1] = number
    end
  end
  local markers = {}
  for _, database in ipairs(databases) do
    if ARGV[5] == 'all' then
      redis.call('SELECT', database)
    end
    local found, marker = foreign()
    if type(found) == 'number' then
      return {'too many keys', database, found}
    elseif found then
      return {'foreign key', database, found, redis.call('DBSIZE')}
    end
    markers[database] = marker
    flushed = flushed + redis.call('DBSIZE')
  end
  if ARGV[5] == 'all' then
    redis.call('SELECT', ARGV[1])
  end
  local done
  if ARGV[5] == 'all' then
    done = redis.pcall('FLUSHALL')
  else
    done = redis.pcall('FLUSHDB')
  end
  if done.err then
    return {'flush denied', done.err}
  end
  -- Whoever made the marker spoke of the database and not of what was in it.
  for database, marker in pairs(markers) do
    if ARGV[5] == 'all' then
      redis.call('SELECT', database)
    end
    redis.call('SET', KEYS[3], marker)
    flushed = flushed - 1
  end
  if ARGV[5] == 'all' then
    redis.call('SELECT', ARGV[1])
  end
end

-- The inventory comes before any data, and it does not expire: nor does the data.
if ARGV[8] ~= '' then
  redis.call('SET', KEYS[5], ARGV[8])
  redis.call('HSET', KEYS[4], ARGV[6], ARGV[7])
end
if ARGV[9] ~= '' then
  redis.call('SET', KEYS[6], ARGV[9], 'EX', ARGV[4])
end
at_lock(ARGV[1], function()
  redis.call('SET', KEYS[2], ARGV[2], 'EX', ARGV[4])
end)
redis.call('SET', KEYS[1], ARGV[3], 'EX', ARGV[4])
return {'passed', flushed}
