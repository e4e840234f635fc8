"""The Redis scripts of operations; lua.py says what holds for all scripts."""

from bot.store.lua import MARK, READY

# c: id, expected, decision, request, record, subject, started, due ('' none), events, over, moved (to another phase),
#    kept (seconds to keep what is over); ARGV[2], ARGV[3]: what this replica has seen, for READY
SAVE_OPERATION = (
    READY
    + MARK
    + """
local p, c = KEYS[1], cjson.decode(ARGV[1])
local key = p .. 'r:' .. c.id
local stored = redis.call('HGET', key, 'decision') or ''
if stored == c.decision then return {'yes', unpack(counted(p))} end
if not is_whole(p, ARGV[2], ARGV[3]) then return {'forgetful'} end
if c.request ~= '' and redis.call('HEXISTS', p .. 'inbox', c.request) == 0 then
  return {redis.call('EXISTS', p .. 'seen:' .. c.request) == 1 and 'decided' or 'forgotten'}
end
if stored ~= c.expected then return {'lost'} end
if c.subject ~= '' and not c.over then
  local holder = redis.call('HGET', p .. 'operations:on', c.subject)
  if holder and holder ~= c.id and redis.call('ZSCORE', p .. 'operations', holder) then return {'taken'} end
  redis.call('HSET', p .. 'operations:on', c.subject, c.id)
end
redis.call('HSET', key, 'decision', c.decision, 'operation', c.record)
redis.call(c.over and 'ZREM' or 'ZADD', p .. 'operations', unpack(c.over and {c.id} or {c.started, c.id}))
redis.call(c.due == '' and 'ZREM' or 'ZADD', p .. 'operations:due', unpack(c.due == '' and {c.id} or {c.due, c.id}))
for _, event in ipairs(c.events) do redis.call('RPUSH', p .. 'events:' .. c.id, event) end
if c.over then
  keep_for_now(p, c.id, c.kept)
  if redis.call('HGET', p .. 'operations:on', c.subject) == c.id then
    redis.call('HDEL', p .. 'operations:on', c.subject)
  end
else
  for _, kind in ipairs({'r:', 'events:', 'shown:'}) do redis.call('PERSIST', p .. kind .. c.id) end
end
if c.request ~= '' then
  redis.call('HDEL', p .. 'inbox', c.request)
  redis.call('ZREM', p .. 'inbox:at', c.request)
  redis.call('SET', p .. 'became:' .. c.request, cjson.encode({operation = c.id}), 'EX', 900)
end
mark(p, c.id, c.moved and 1 or 2)
redis.call('HINCRBY', p .. 'store', 'writes', 1)
return {'yes', unpack(counted(p))}
"""
)

# A claim: what is due is pushed ahead, so that it is asked for again where nobody saves a new time.
CLAIM_OPERATIONS = (
    READY
    + """
local p, now, ahead, most = KEYS[1], ARGV[1], ARGV[2], ARGV[3]
if not is_whole(p, ARGV[4], ARGV[5]) then return {} end
local claimed = {}
for _, id in ipairs(redis.call('ZRANGEBYSCORE', p .. 'operations:due', '-inf', now, 'LIMIT', 0, most)) do
  if redis.call('HEXISTS', p .. 'r:' .. id, 'operation') == 1 then
    redis.call('ZADD', p .. 'operations:due', ahead, id)
    claimed[#claimed + 1] = id
  else
    redis.call('ZREM', p .. 'operations:due', id)
    redis.call('ZREM', p .. 'operations', id)
  end
end
return claimed
"""
)
