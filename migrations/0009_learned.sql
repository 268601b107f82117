-- What a label set has learned from the library is one value, whose form has a version: only the part of the program that
-- learns knows what it means. What was learned in the older form is learned again, when the set is next brought up to date.
ALTER TABLE label_sets ADD COLUMN learned TEXT;
ALTER TABLE label_sets ADD COLUMN learned_version INTEGER NOT NULL DEFAULT 0;
UPDATE label_sets SET signature = '' WHERE learned_from > 0;
ALTER TABLE label_sets DROP COLUMN learned_from;
ALTER TABLE label_sets DROP COLUMN middle;
ALTER TABLE label_sets DROP COLUMN spread;
DROP TABLE likenesses;
