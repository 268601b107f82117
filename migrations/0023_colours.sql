-- Red, green and blue of a picture's quarters, to show in its place until it is there: 12 bytes. None where the model saw it before
-- they were kept, or elsewhere.
ALTER TABLE images ADD COLUMN colours BLOB;
