-- Gives the lease back; 0 if somebody else has it.
--
-- KEYS[1] key of the lease
-- ARGV    name of the caller
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
