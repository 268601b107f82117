-- Since when a folder is known, and since when it is not named any more: 'YYYY-MM-DDTHH:MM:SSZ'. Nobody knows the first of folders
-- of an older library; whoever starts next says which are named.
ALTER TABLE roots ADD COLUMN known_since TEXT;
ALTER TABLE roots ADD COLUMN unnamed_since TEXT;
