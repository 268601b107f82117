-- Whether some file holds an image is asked for all images at once when the index is loaded: from the index alone.

DROP INDEX files_by_image;
CREATE INDEX files_by_image ON files (image_id, state) WHERE image_id IS NOT NULL;
