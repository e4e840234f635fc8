-- needs: epoch
-- Saves what Slack shows of a rollout, if it still is what the writer saw, and if no data is missing: whoever claims a
-- message by old data would post what Slack has already. Returns 1 if it is saved, else 0, and the epoch and the count
-- of writes.
--
-- KEYS[1] prefix
-- ARGV    rollout id, what is shown as JSON, what the writer saw ('' for nothing), epoch and writes that it has seen
local p, id, shown, was = KEYS[1], ARGV[1], ARGV[2], ARGV[3]
if not is_whole(p, ARGV[4], ARGV[5]) then return {0, unpack(counted(p))} end
local function is_still(stored)
  if not stored or was == '' then return not stored and was == '' end
  local has = cjson.decode(stored)
  for name, value in pairs(cjson.decode(was)) do
    if has[name] ~= nil and has[name] ~= value then return false end  -- a missing one is from another version
  end
  return true
end
local stored = redis.call('GET', p .. 'shown:' .. id)
local saved = stored == shown
if not saved and is_still(stored) then
  redis.call('SET', p .. 'shown:' .. id, shown, 'KEEPTTL')
  local left = redis.call('TTL', p .. 'r:' .. id)  -- a finished rollout may be shown for the first time
  if left > 0 then redis.call('EXPIRE', p .. 'shown:' .. id, left) end
  redis.call('HINCRBY', p .. 'store', 'writes', 1)
  saved = true
end
return {saved and 1 or 0, unpack(counted(p))}
