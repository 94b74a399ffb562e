-- Whether all of these databases may be wiped: whether somebody said so in each of them.
-- KEYS: disposable. ARGV: the selected database, then the databases.
local all = 1
for index = 2, #ARGV do
  local moved = ARGV[index] ~= ARGV[1]
  if moved and redis.pcall('SELECT', ARGV[index]).err then
    all = 0
  else
    local marker = redis.pcall('GET', KEYS[1])
    -- A marker of another type is one; a marker that may not be read is none.
    local unreadable = type(marker) == 'table' and string.sub(marker.err or '', 1, 9) ~= 'WRONGTYPE'
    if not marker or unreadable then
      all = 0
    end
    if moved then
      redis.call('SELECT', ARGV[1])
    end
  end
end
return {all}
