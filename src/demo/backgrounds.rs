//! The backgrounds of the demo pictures: five patterns in changing tones and four places.
//!
//! A background fills its picture in the unit coordinates of the picture's short side; along the
//! long side it reaches further.

use super::draw::Shade::{Body, Dark, Light};
use super::draw::{Palette, Pen, Rgb, mix};
use crate::random::Random;

/// What a background may draw with: a pen, how far the picture reaches from its middle, and dice.
pub(super) struct Ground<'a> {
    pub(super) pen: Pen<'a>,
    pub(super) reach: (f32, f32),
    pub(super) random: &'a mut Random,
}

/// Draws one background.
pub(super) type Background = fn(&mut Ground);

/// What the patterns are made of: mostly pale, so that most colours stand out.
const TONES: [Rgb; 12] = [
    [252, 250, 244],
    [255, 238, 204],
    [252, 214, 220],
    [214, 236, 214],
    [206, 228, 250],
    [226, 214, 244],
    [228, 230, 232],
    [255, 226, 150],
    [150, 214, 220],
    [60, 66, 82],
    [34, 78, 92],
    [96, 40, 66],
];

/// The length of a wave of the sea.
const WAVE: f32 = 0.26;

/// The colours of the background `name`: its own where it is a place, otherwise tones by chance.
///
/// Things must stand out from `body` and `dark`; `light` is for small details.
pub(super) fn palette(name: &str, random: &mut Random) -> Palette {
    let (body, dark, light) = match name {
        "sky" => ([104, 178, 240], [196, 228, 252], [250, 253, 255]),
        "night sky" => ([14, 18, 52], [40, 46, 98], [246, 242, 214]),
        "grass" => ([112, 186, 84], [72, 148, 58], [150, 212, 112]),
        "sea" => ([34, 120, 186], [22, 88, 150], [138, 204, 236]),
        "gradient" => (random.pick(&TONES), random.pick(&TONES), TONES[0]),
        _ => pattern(random.pick(&TONES)),
    };
    Palette {
        body,
        dark,
        light,
        edge: dark,
    }
}

/// A tone and its neighbour: far enough apart to be seen, near enough to leave the thing in front
/// alone.
fn pattern(tone: Rgb) -> (Rgb, Rgb, Rgb) {
    let pale = tone[1] > 128;
    let other = if pale {
        mix(tone, [70, 70, 90], 0.24)
    } else {
        mix(tone, [255, 255, 255], 0.22)
    };
    (tone, other, tone)
}

pub(super) fn plain(ground: &mut Ground) {
    ground.pen.flood(Body);
}

pub(super) fn striped(ground: &mut Ground) {
    ground.pen.flood(Body);
    let width = ground.random.between(0.16, 0.3);
    let upright = ground.random.one_in(2);
    let (across, along) = if upright {
        ground.reach
    } else {
        (ground.reach.1, ground.reach.0)
    };
    let mut start = -across;
    while start < across {
        let (near, far) = ((start, -along), (start + width, along));
        let turned = |(x, y)| if upright { (x, y) } else { (y, x) };
        ground.pen.rectangle(turned(near), turned(far), Dark);
        start += 2.0 * width;
    }
}

pub(super) fn checkered(ground: &mut Ground) {
    ground.pen.flood(Body);
    let side = ground.random.between(0.24, 0.36);
    for (column, row) in lattice(ground.reach, side) {
        if (column + row).rem_euclid(2) == 0 {
            let (x, y) = (column as f32 * side, row as f32 * side);
            ground.pen.rectangle((x, y), (x + side, y + side), Dark);
        }
    }
}

pub(super) fn dotted(ground: &mut Ground) {
    ground.pen.flood(Body);
    let gap = ground.random.between(0.2, 0.28);
    for (column, row) in lattice(ground.reach, gap) {
        let shift = if row.rem_euclid(2) == 0 {
            0.0
        } else {
            gap / 2.0
        };
        ground.pen.circle(
            column as f32 * gap + shift,
            row as f32 * gap,
            gap * 0.27,
            Dark,
        );
    }
}

/// Columns and rows of squares of `side` that cover all within `reach`.
fn lattice(reach: (f32, f32), side: f32) -> impl Iterator<Item = (i32, i32)> {
    let columns = (reach.0 / side) as i32 + 1;
    let rows = (reach.1 / side) as i32 + 1;
    (-rows..=rows).flat_map(move |row| (-columns..=columns).map(move |column| (column, row)))
}

pub(super) fn gradient(ground: &mut Ground) {
    let (x, y) = ground.reach;
    let end = ground.random.pick(&[(x, 0.0), (0.0, y), (x, y), (x, -y)]);
    ground.pen.wash(Body, Dark, (-end.0, -end.1), end);
}

pub(super) fn sky(ground: &mut Ground) {
    let (_, y) = ground.reach;
    ground.pen.wash(Body, Dark, (0.0, -y), (0.0, y));
    for _cloud in 0..5 {
        let (left, top) = ground.anywhere();
        let size = ground.random.between(0.09, 0.16);
        for (right, up) in [(-1.1, 0.0), (0.0, 0.5), (1.1, 0.0)] {
            ground
                .pen
                .circle(left + right * size, top - up * size, size, Light);
        }
        ground.pen.rectangle(
            (left - 1.1 * size, top),
            (left + 1.1 * size, top + size),
            Light,
        );
    }
}

pub(super) fn night_sky(ground: &mut Ground) {
    let (x, y) = ground.reach;
    ground.pen.wash(Body, Dark, (0.0, -y), (0.0, y));
    for _star in 0..(70.0 * x * y) as usize {
        let (left, top) = ground.anywhere();
        let radius = ground.random.between(0.006, 0.02);
        ground.pen.circle(left, top, radius, Light);
    }
}

pub(super) fn grass(ground: &mut Ground) {
    let (x, y) = ground.reach;
    ground.pen.flood(Body);
    for _tuft in 0..(150.0 * x * y) as usize {
        let (left, foot) = ground.anywhere();
        let tall = ground.random.between(0.08, 0.16);
        let shade = ground.random.pick(&[Dark, Dark, Light]);
        for lean in [-0.05, 0.0, 0.05] {
            let (tip, top) = (left + lean, foot - tall + lean.abs());
            ground.pen.polygon(
                &[(left - 0.018, foot), (tip, top), (left + 0.018, foot)],
                shade,
            );
        }
    }
}

pub(super) fn sea(ground: &mut Ground) {
    let (_, y) = ground.reach;
    ground.pen.wash(Body, Dark, (0.0, -y), (0.0, y));
    for (column, row) in lattice(ground.reach, WAVE) {
        let shift = if row.rem_euclid(2) == 0 {
            0.0
        } else {
            WAVE / 2.0
        };
        let (left, level) = (column as f32 * WAVE - shift, row as f32 * WAVE);
        let (middle, right) = (left + WAVE / 2.0, left + WAVE);
        let (crest, trough) = (level - 0.4 * WAVE, level + 0.4 * WAVE);
        let bend = format!("C {middle} {crest} {middle} {trough} {right} {level}");
        ground
            .pen
            .line(&format!("M {left} {level} {bend}"), 0.024, Light);
    }
}

impl Ground<'_> {
    fn anywhere(&mut self) -> (f32, f32) {
        let (x, y) = self.reach;
        (self.random.between(-x, x), self.random.between(-y, y))
    }
}
