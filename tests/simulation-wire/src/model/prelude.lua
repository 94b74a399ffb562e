-- What a script finds around itself. The host gives __command and __sha1hex.
local command, sha1hex = __command, __sha1hex
redis = {
  LOG_DEBUG = 0, LOG_VERBOSE = 1, LOG_NOTICE = 2, LOG_WARNING = 3,
}
function redis.log() end
function redis.sha1hex(text) return sha1hex(text) end
function redis.status_reply(text) return {ok = text} end
function redis.error_reply(text) return {err = text} end
function redis.pcall(...) return command(...) end
function redis.call(...)
  local reply = command(...)
  if type(reply) == 'table' and type(reply.err) == 'string' then
    -- Who called: a frame that was left by a tail call says nothing.
    local _, where = pcall(error, '', 3)
    reply.line = string.match(tostring(where), ':(%d+):') or '1'
    error(reply, 0)
  end
  return reply
end
function __run(script) return pcall(script) end
