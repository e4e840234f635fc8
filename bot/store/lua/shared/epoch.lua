-- Does Redis still have everything? See epoch.py.
--
-- is_whole(p, epoch, seen): epoch and seen are what the calling replica has seen; a rebuild says 'any' and is not asked.
--   If something is missing it also removes the epoch, so that no replica decides anything before the rebuild.
-- counted(p): the epoch and the writes counted in it now, for every replica to remember.
local function is_whole(p, epoch, seen)
  if epoch == 'any' then return true end
  local store = redis.call('HMGET', p .. 'store', 'epoch', 'writes')
  local stored, writes = tonumber(store[1] or 0), tonumber(store[2] or 0)
  if stored == 0 then return false end
  if stored > tonumber(epoch) or (stored == tonumber(epoch) and writes >= tonumber(seen)) then return true end
  redis.call('HDEL', p .. 'store', 'epoch')
  return false
end
local function counted(p)
  local store = redis.call('HMGET', p .. 'store', 'epoch', 'writes')
  return {store[1] or '0', store[2] or '0'}
end
