//! What a demo picture shows, chosen by dice within a wish, and the painting of it.
//!
//! The colour of a thing always stands out from its background, and all things lie in the central
//! square, because that is what a model looks at.

use anyhow::Context;
use tiny_skia::{Pixmap, Transform};

use super::backgrounds::{self, Background, Ground};
use super::draw::{Palette, Pen, Rgb, contrast, mix};
use super::things::Thing;
use super::world::{BACKGROUNDS, COLOURS, THINGS};
use crate::random::Random;

/// Below this, a thing is hard to see on its background (tried by eye on every pair).
const LEAST_CONTRAST: f32 = 122.0;

/// Below this, the two tones of a pattern or gradient look like one.
const LEAST_PATTERN: f32 = 48.0;

/// What a picture must show; the dice choose whatever is `None`.
#[derive(Clone, Copy)]
pub(super) struct Wish {
    pub(super) thing: &'static str,
    pub(super) colour: Option<&'static str>,
    pub(super) background: Option<&'static str>,
    pub(super) count: Option<usize>,
}

/// What a picture shows.
pub(super) struct Scene {
    pub(super) thing: (&'static str, Thing),
    pub(super) colour: (&'static str, Rgb),
    pub(super) background: (&'static str, Background),
    pub(super) count: usize,
    ground: Palette,
}

impl Scene {
    /// Chooses a scene within `wish` whose thing stands out from its background.
    pub(super) fn choose(wish: Wish, random: &mut Random) -> anyhow::Result<Self> {
        for _attempt in 0..1000 {
            let scene = Self::any(wish, random)?;
            if scene.stands_out() {
                return Ok(scene);
            }
        }
        anyhow::bail!(
            "found no background on which a `{}` of that colour stands out",
            wish.thing
        )
    }

    fn any(wish: Wish, random: &mut Random) -> anyhow::Result<Self> {
        let background = one_of(&BACKGROUNDS, wish.background, random)?;
        Ok(Self {
            thing: one_of(&THINGS, Some(wish.thing), random)?,
            colour: one_of(&COLOURS, wish.colour, random)?,
            background,
            count: wish
                .count
                .unwrap_or_else(|| random.pick(&[1, 1, 1, 1, 2, 2, 3, 3, 4, 5, 6, 7])),
            ground: backgrounds::palette(background.0, random),
        })
    }

    /// Whether the thing is easy to see, and so are the two tones of a pattern.
    fn stands_out(&self) -> bool {
        let (body, dark) = (self.ground.body, self.ground.dark);
        // Between its ends, a gradient passes through tones of its own.
        let tones = [0.0, 0.33, 0.67, 1.0].map(|share| mix(body, dark, share));
        let far = |tone| contrast(self.colour.1, tone) > LEAST_CONTRAST;
        tones.into_iter().all(far) && contrast(body, dark) > LEAST_PATTERN
    }

    /// Paints the scene at a size in pixels.
    pub(super) fn paint(
        &self,
        (width, height): (u32, u32),
        random: &mut Random,
    ) -> anyhow::Result<Pixmap> {
        let mut picture =
            Pixmap::new(width, height).context("a picture needs at least one pixel")?;
        let half = width.min(height) as f32 / 2.0;
        let (x, y) = (width as f32 / 2.0, height as f32 / 2.0);
        let middle = Transform::from_row(half, 0.0, 0.0, half, x, y);
        let pen = Pen::new(&mut picture, middle, self.ground);
        (self.background.1)(&mut Ground {
            pen,
            reach: (x / half, y / half),
            random,
        });
        self.paint_things(&mut picture, middle, random);
        Ok(picture)
    }

    fn paint_things(&self, picture: &mut Pixmap, middle: Transform, random: &mut Random) {
        let (centres, radius) = layout(self.count, random);
        let (outlined, flipped) = (random.one_in(2), random.one_in(2));
        let mirror = if flipped { -radius } else { radius };
        let palette = Palette::around(self.colour.1);
        for (x, y) in centres {
            let mut near = |value| value + random.between(-0.04, 0.04);
            let place = middle
                .pre_translate(near(x), near(y))
                .pre_scale(mirror, radius)
                .pre_rotate(random.between(-9.0, 9.0));
            if outlined {
                (self.thing.1)(&mut Pen::new(picture, place, palette).for_outlines());
            }
            (self.thing.1)(&mut Pen::new(picture, place, palette));
        }
    }
}

/// The entry of `table` that was wished for, or else any.
fn one_of<T: Copy>(
    table: &[(&'static str, T)],
    wished: Option<&str>,
    random: &mut Random,
) -> anyhow::Result<(&'static str, T)> {
    let Some(wished) = wished else {
        return Ok(random.pick(table));
    };
    let found = table.iter().find(|(name, _)| *name == wished);
    found
        .copied()
        .with_context(|| format!("the demo cannot draw `{wished}`"))
}

/// Where `count` things lie in the central square, and how far each reaches.
fn layout(count: usize, random: &mut Random) -> (Vec<(f32, f32)>, f32) {
    let row = |y: f32| [(-0.62, y), (0.0, y), (0.62, y)];
    let four = [(-0.46, -0.46), (0.46, -0.46), (-0.46, 0.46), (0.46, 0.46)];
    // One small thing still takes a good quarter of the short side.
    let shrink = if count <= 3 {
        random.pick(&[1.0, 1.0, 0.75])
    } else {
        1.0
    };
    let (centres, radius) = match count {
        1 => (vec![(0.0, 0.0)], random.pick(&[0.8, 0.7, 0.4])),
        2 => (vec![(-0.47, 0.0), (0.47, 0.0)], 0.42),
        3 if random.one_in(2) => (row(0.0).to_vec(), 0.29),
        3 => (vec![(-0.46, 0.44), (0.46, 0.44), (0.0, -0.44)], 0.41),
        4 => (four.to_vec(), 0.38),
        5 => ([&four[..], &[(0.0, 0.0)]].concat(), 0.29),
        6 => ([row(-0.4), row(0.4)].concat(), 0.29),
        _ => (
            [&row(0.0)[..], &four.map(|(x, y)| (x * 0.7, y * 1.3))].concat(),
            0.27,
        ),
    };
    (centres, radius * shrink)
}
