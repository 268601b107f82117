//! The pen of the demo pictures: filled shapes and round-ended lines, in four shades of one colour.
//!
//! It works in unit coordinates: (0, 0) is the middle of what is drawn, (-1, -1) its top left and
//! (1, 1) its bottom right corner.

use tiny_skia::{
    Color, FillRule, GradientStop, LineCap, LineJoin, LinearGradient, Paint, Path, PathBuilder,
    Pixmap, Point, Rect, Shader, SpreadMode, Stroke, Transform,
};

/// Red, green and blue.
pub(super) type Rgb = [u8; 3];

/// How wide the outline of a thing is, in unit coordinates.
const OUTLINE: f32 = 0.045;

/// Which colour of the palette to draw in.
#[derive(Clone, Copy)]
pub(super) enum Shade {
    Body,
    Dark,
    Light,
    Edge,
}

/// The shades of one colour.
#[derive(Clone, Copy)]
pub(super) struct Palette {
    pub(super) body: Rgb,
    pub(super) dark: Rgb,
    pub(super) light: Rgb,
    pub(super) edge: Rgb,
}

impl Palette {
    /// The shades around `body`, at a distance from it even where it is nearly black or white.
    pub(super) fn around(body: Rgb) -> Self {
        let (dark, light, edge) = match brightness(body) {
            0..=50 => (
                mix(body, WHITE, 0.26),
                mix(body, WHITE, 0.62),
                mix(body, WHITE, 0.45),
            ),
            51..=229 => (
                mix(body, BLACK, 0.38),
                mix(body, WHITE, 0.66),
                mix(body, BLACK, 0.68),
            ),
            _ => (
                mix(body, BLACK, 0.32),
                mix(body, BLACK, 0.17),
                mix(body, BLACK, 0.62),
            ),
        };
        Self {
            body,
            dark,
            light,
            edge,
        }
    }

    fn of(&self, shade: Shade) -> Color {
        let [red, green, blue] = match shade {
            Shade::Body => self.body,
            Shade::Dark => self.dark,
            Shade::Light => self.light,
            Shade::Edge => self.edge,
        };
        Color::from_rgba8(red, green, blue, 255)
    }
}

const BLACK: Rgb = [0, 0, 0];
const WHITE: Rgb = [255, 255, 255];

/// `from` with `share` of `to` in it.
pub(super) fn mix(from: Rgb, to: Rgb, share: f32) -> Rgb {
    std::array::from_fn(|i| {
        (f32::from(from[i]) * (1.0 - share) + f32::from(to[i]) * share).round() as u8
    })
}

/// How far apart two colours look, about as eyes weigh red, green and blue.
pub(super) fn contrast(one: Rgb, other: Rgb) -> f32 {
    let weights = [0.9_f32, 1.8, 0.33];
    let squares = (0..3).map(|i| weights[i] * (f32::from(one[i]) - f32::from(other[i])).powi(2));
    squares.sum::<f32>().sqrt()
}

fn brightness([red, green, blue]: Rgb) -> u32 {
    (u32::from(red) * 30 + u32::from(green) * 59 + u32::from(blue) * 11) / 100
}

/// Draws on a picture, at one place of it and in one palette.
pub(super) struct Pen<'a> {
    picture: &'a mut Pixmap,
    place: Transform,
    palette: Palette,
    outlines_only: bool,
}

impl<'a> Pen<'a> {
    /// A pen whose unit coordinates `place` maps to pixels.
    pub(super) fn new(picture: &'a mut Pixmap, place: Transform, palette: Palette) -> Self {
        Self {
            picture,
            place,
            palette,
            outlines_only: false,
        }
    }

    /// The same pen, drawing only the outline of what it is told to draw.
    ///
    /// A thing drawn first so and then as it is has a line around the whole of it and none between
    /// its parts.
    pub(super) fn for_outlines(self) -> Self {
        Self {
            outlines_only: true,
            ..self
        }
    }

    /// Swaps left and right for what is drawn from here on.
    pub(super) fn flip(&mut self) {
        self.place = self.place.pre_scale(-1.0, 1.0);
    }

    /// Fills the whole picture, from one shade at the point `start` to another at `end`.
    pub(super) fn wash(&mut self, from: Shade, to: Shade, start: (f32, f32), end: (f32, f32)) {
        let stops = vec![
            GradientStop::new(0.0, self.palette.of(from)),
            GradientStop::new(1.0, self.palette.of(to)),
        ];
        let (start, end) = (Point::from(start), Point::from(end));
        let Some(shader) = LinearGradient::new(start, end, stops, SpreadMode::Pad, self.place)
        else {
            return;
        };
        let (width, height) = (self.picture.width() as f32, self.picture.height() as f32);
        let Some(all) = Rect::from_xywh(0.0, 0.0, width, height) else {
            return;
        };
        self.picture
            .fill_rect(all, &paint(shader), Transform::identity(), None);
    }

    /// Fills the whole picture in one shade.
    pub(super) fn flood(&mut self, shade: Shade) {
        self.picture.fill(self.palette.of(shade));
    }

    /// Fills the area that `path` goes around.
    pub(super) fn fill(&mut self, path: &str, shade: Shade) {
        let mut builder = walk(path);
        builder.close();
        self.area(builder.finish(), shade);
    }

    /// Fills the area between `corners`.
    pub(super) fn polygon(&mut self, corners: &[(f32, f32)], shade: Shade) {
        let mut builder = PathBuilder::new();
        for (index, &(x, y)) in corners.iter().enumerate() {
            if index == 0 {
                builder.move_to(x, y);
            } else {
                builder.line_to(x, y);
            }
        }
        builder.close();
        self.area(builder.finish(), shade);
    }

    /// Fills a circle around (`x`, `y`).
    pub(super) fn circle(&mut self, x: f32, y: f32, radius: f32, shade: Shade) {
        self.area(PathBuilder::from_circle(x, y, radius), shade);
    }

    /// Fills an upright oval around (`x`, `y`).
    pub(super) fn oval(&mut self, x: f32, y: f32, half_width: f32, half_height: f32, shade: Shade) {
        let sides = Rect::from_ltrb(
            x - half_width,
            y - half_height,
            x + half_width,
            y + half_height,
        );
        self.area(sides.and_then(PathBuilder::from_oval), shade);
    }

    /// Fills a rectangle from its top left to its bottom right corner.
    pub(super) fn rectangle(
        &mut self,
        (left, top): (f32, f32),
        (right, bottom): (f32, f32),
        shade: Shade,
    ) {
        self.area(
            Rect::from_ltrb(left, top, right, bottom).map(PathBuilder::from_rect),
            shade,
        );
    }

    /// Draws a line of some width along `path`.
    pub(super) fn line(&mut self, path: &str, width: f32, shade: Shade) {
        self.stroke(walk(path).finish(), width, shade);
    }

    /// Draws a circle's line of some width.
    pub(super) fn hoop(&mut self, x: f32, y: f32, radius: f32, width: f32, shade: Shade) {
        self.stroke(PathBuilder::from_circle(x, y, radius), width, shade);
    }

    fn area(&mut self, path: Option<Path>, shade: Shade) {
        if self.outlines_only {
            return self.stroke(path, 0.0, shade);
        }
        let Some(path) = path else { return };
        let colour = paint(Shader::SolidColor(self.palette.of(shade)));
        self.picture
            .fill_path(&path, &colour, FillRule::Winding, self.place, None);
    }

    fn stroke(&mut self, path: Option<Path>, width: f32, shade: Shade) {
        let Some(path) = path else { return };
        let (width, shade) = if self.outlines_only {
            (width + 2.0 * OUTLINE, Shade::Edge)
        } else {
            (width, shade)
        };
        let colour = paint(Shader::SolidColor(self.palette.of(shade)));
        let stroke = Stroke {
            width,
            line_cap: LineCap::Round,
            line_join: LineJoin::Round,
            ..Stroke::default()
        };
        self.picture
            .stroke_path(&path, &colour, &stroke, self.place, None);
    }
}

fn paint(shader: Shader) -> Paint {
    Paint {
        shader,
        anti_alias: true,
        ..Paint::default()
    }
}

/// Follows a path in the letters of SVG: `M x y` (go to), `L x y` (line) and `C x1 y1 x2 y2 x y`
/// (curve).
fn walk(path: &str) -> PathBuilder {
    let (mut builder, mut letter, mut numbers) = (PathBuilder::new(), "M", Vec::new());
    for word in path.split_whitespace() {
        match word.parse::<f32>() {
            Ok(number) => numbers.push(number),
            Err(_) => letter = word,
        }
        match (letter, numbers.as_slice()) {
            ("M", &[x, y]) => builder.move_to(x, y),
            ("L", &[x, y]) => builder.line_to(x, y),
            ("C", &[x1, y1, x2, y2, x, y]) => builder.cubic_to(x1, y1, x2, y2, x, y),
            _ => continue,
        }
        numbers.clear();
    }
    debug_assert!(
        numbers.is_empty(),
        "the path `{path}` ends in the middle of a step"
    );
    builder
}
