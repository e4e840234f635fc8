-- keep_for_now(p, id, seconds): lets everything about a finished rollout expire after a while.
local function keep_for_now(p, id, seconds)
  for _, kind in ipairs({'r:', 'events:', 'shown:'}) do redis.call('EXPIRE', p .. kind .. id, seconds) end
end
