"""What happens to a drawing before it is a picture file: light on the things, then cameras, scanners and encoders."""

from math import pi

import cv2
import numpy as np


def light(r, before, canvas, mask):
    """Shading, texture or a shadow of the things (`mask`), now and then. `before` is the canvas without them."""
    kind = r.random()
    if kind < 0.12:
        gain = _shading(r, canvas.shape[0])
    elif kind < 0.2:
        gain = _texture(r, canvas.shape[0])
    elif kind < 0.28:
        return _shadow(r, before, canvas, mask)
    else:
        return canvas
    lit = cv2.convertScaleAbs(canvas * cv2.merge([gain] * 3))
    return np.where((mask > 0)[..., None], lit, canvas)


def _shading(r, side):
    u, v = r.uniform(-1, 1), r.uniform(-1, 1)
    period, phase = r.choice([1.5, 0.5, 0.35]), r.uniform(0, 6)
    line = np.arange(side, dtype=np.float32) * np.float32(2 * pi / period / side)
    return 1 + np.float32(r.uniform(0.1, 0.25)) * np.sin(u * line[None] + v * line[:, None] + phase)


def _texture(r, side):
    coarse = np.float32([[r.gauss(0, 1) for _ in range(16)] for _ in range(16)])
    return 1 + r.uniform(0.05, 0.12) * cv2.resize(
        coarse, (side, side), interpolation=r.choice([cv2.INTER_CUBIC, cv2.INTER_NEAREST])
    )


def _shadow(r, before, canvas, mask):
    side = canvas.shape[0]
    dx, dy = (round(side * r.uniform(-0.03, 0.04)) for _ in range(2))
    shadow = cv2.warpAffine(mask, np.float32([[1, 0, dx], [0, 1, dy]]), (side, side)) & ~mask
    shadow[cv2.absdiff(canvas, before).max(2) > 0] = 0
    shadow = cv2.GaussianBlur(shadow, (0, 0), side / r.uniform(50, 150))
    return cv2.multiply(canvas, cv2.merge([255 - shadow // 3] * 3), scale=1 / 255)


def photograph(r, canvas, side):
    """The canvas at the model's size, with some blur, gain, noise or JPEG artefacts. Most pictures stay clean."""
    picture = cv2.resize(canvas, (side, side), interpolation=cv2.INTER_AREA)
    if r.random() < 0.2:
        picture = cv2.GaussianBlur(picture, (0, 0), r.uniform(0.4, 0.9))
    elif r.random() < 0.2:  # the sharper edges of a bicubic filter
        picture = cv2.addWeighted(picture, 1.5, cv2.GaussianBlur(picture, (0, 0), 0.8), -0.5, 0)
    if r.random() < 0.4:
        picture = cv2.convertScaleAbs(picture, alpha=r.uniform(0.85, 1.1), beta=r.uniform(-8, 12))
    if r.random() < 0.2:
        picture = _grainy(r, picture)
    if r.random() < 0.2:
        quality = [cv2.IMWRITE_JPEG_QUALITY, r.randint(35, 92)]
        picture = cv2.imdecode(cv2.imencode(".jpg", picture[..., ::-1], quality)[1], cv2.IMREAD_COLOR)[..., ::-1]
    return picture


def _grainy(r, picture):
    """Gaussian noise, the same in all channels or not."""
    channels = 3 if r.random() < 0.5 else 1
    grain = np.empty((*picture.shape[:2], channels), np.int16)
    cv2.setRNGSeed(r.getrandbits(31))  # a seed must always give the same picture
    cv2.randn(grain, 0, r.uniform(2, 12))
    return np.clip(picture + grain.reshape(*picture.shape[:2], channels), 0, 255).astype(np.uint8)
