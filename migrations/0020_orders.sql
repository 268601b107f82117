-- Lists of images by when they were taken and by size, page by page.

CREATE INDEX images_in_order_of_taken ON images (coalesce(taken_at, ''), id);
CREATE INDEX images_in_order_of_size ON images (size_bytes, id);
