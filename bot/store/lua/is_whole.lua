-- needs: epoch
-- Returns 1 if Redis still has everything that the caller has seen stored, else 0.
--
-- KEYS[1] prefix
-- ARGV    epoch and writes that the caller has seen
return is_whole(KEYS[1], ARGV[1], ARGV[2]) and 1 or 0
