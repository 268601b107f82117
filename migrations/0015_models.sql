-- Which model a library is searched and tagged with. Embeddings of those that it has left are kept for a while, so that going
-- back to them is a matter of a moment.

ALTER TABLE models ADD COLUMN left_at INTEGER;
UPDATE models SET left_at = unixepoch('now')
WHERE fingerprint <> coalesce((SELECT value FROM facts WHERE name = 'model fingerprint'), fingerprint);
