//! The things of the demo pictures, each drawn upright by a short function in unit coordinates.
//!
//! A stranger must be able to name each at once, in any colour and only thirty pixels high.

use std::f32::consts::TAU;

use super::draw::Pen;
use super::draw::Shade::{Body, Dark, Edge, Light};

/// Draws one thing.
pub(super) type Thing = fn(&mut Pen);

/// The point at `turn` (0 to 1, clockwise from the top) on a circle around the middle.
fn around(turn: f32, radius: f32) -> (f32, f32) {
    (radius * (turn * TAU).sin(), -radius * (turn * TAU).cos())
}

pub(super) fn circle(pen: &mut Pen) {
    pen.circle(0.0, 0.0, 0.92, Body);
}

pub(super) fn square(pen: &mut Pen) {
    pen.rectangle((-0.8, -0.8), (0.8, 0.8), Body);
}

pub(super) fn triangle(pen: &mut Pen) {
    pen.fill("M 0 -.88 L .95 .78 -.95 .78", Body);
}

pub(super) fn star(pen: &mut Pen) {
    let corner = |i: u8| {
        around(
            f32::from(i) / 10.0,
            if i.is_multiple_of(2) { 0.98 } else { 0.42 },
        )
    };
    let corners: Vec<_> = (0..10).map(corner).collect();
    pen.polygon(&corners, Body);
}

pub(super) fn heart(pen: &mut Pen) {
    pen.fill(
        "M 0 .9 C -1.45 -.1 -.75 -1.25 0 -.45 C .75 -1.25 1.45 -.1 0 .9",
        Body,
    );
}

pub(super) fn ring(pen: &mut Pen) {
    pen.hoop(0.0, 0.0, 0.74, 0.34, Body);
}

pub(super) fn cross(pen: &mut Pen) {
    pen.rectangle((-0.3, -0.9), (0.3, 0.9), Body);
    pen.rectangle((-0.9, -0.3), (0.9, 0.3), Body);
}

pub(super) fn moon(pen: &mut Pen) {
    let back = "M .3 -.92 C -.4 -1.05 -.95 -.5 -.9 .1 C -.8 .8 .1 1.2 .75 .62";
    let hollow = "C .15 .7 -.32 .4 -.35 -.1 C -.37 -.45 -.1 -.75 .3 -.92";
    pen.fill(&format!("{back} {hollow}"), Body);
    pen.circle(-0.6, -0.1, 0.09, Dark);
    pen.circle(-0.5, 0.33, 0.13, Dark);
    pen.circle(-0.05, 0.68, 0.08, Dark);
}

pub(super) fn house(pen: &mut Pen) {
    pen.rectangle((0.38, -0.85), (0.6, -0.3), Dark);
    pen.rectangle((-0.72, -0.15), (0.72, 0.9), Body);
    pen.fill("M 0 -.92 L .98 -.08 -.98 -.08", Dark);
    pen.rectangle((-0.17, 0.3), (0.17, 0.9), Dark);
    pen.circle(0.09, 0.62, 0.04, Light);
    pen.rectangle((-0.57, 0.15), (-0.3, 0.45), Light);
    pen.rectangle((0.3, 0.15), (0.57, 0.45), Light);
}

pub(super) fn tree(pen: &mut Pen) {
    pen.fill("M -.13 .1 L .13 .1 L .2 .95 L -.2 .95", Dark);
    for (x, y) in [
        (-0.52, -0.02),
        (0.52, -0.02),
        (-0.34, -0.42),
        (0.34, -0.42),
        (0.0, -0.6),
        (0.0, 0.0),
    ] {
        pen.circle(x, y, 0.36, Body);
    }
    pen.line("M 0 .5 L 0 -.2", 0.12, Dark);
    pen.line("M 0 .2 L .28 -.12", 0.08, Dark);
    pen.line("M 0 .05 L -.26 -.2", 0.08, Dark);
}

pub(super) fn flower(pen: &mut Pen) {
    pen.line("M 0 -.2 L 0 .92", 0.11, Dark);
    pen.fill("M 0 .75 C .1 .3 .5 .3 .65 .3 .6 .6 .4 .8 0 .75", Dark);
    for petal in 0..6_u8 {
        let (x, y) = around(f32::from(petal) / 6.0, 0.38);
        pen.circle(x, y - 0.3, 0.25, Body);
    }
    pen.circle(0.0, -0.3, 0.22, Light);
    pen.hoop(0.0, -0.3, 0.22, 0.05, Dark);
}

pub(super) fn fish(pen: &mut Pen) {
    pen.fill("M .35 0 L .95 -.5 .8 0 .95 .5", Dark);
    pen.fill("M -.3 -.35 C -.1 -.8 .25 -.75 .35 -.6 L .25 -.2", Dark);
    pen.fill(
        "M -.95 .05 C -.6 -.7 .2 -.65 .6 0 .2 .7 -.6 .7 -.95 .05",
        Body,
    );
    pen.fill(
        "M -.1 .08 C .1 .05 .25 .15 .3 .3 .1 .35 -.05 .25 -.1 .08",
        Dark,
    );
    pen.line("M -.33 -.3 C -.2 -.1 -.2 .15 -.33 .35", 0.06, Dark);
    eye(pen, -0.58, -0.12, 0.12);
}

fn eye(pen: &mut Pen, x: f32, y: f32, radius: f32) {
    pen.circle(x, y, radius, Light);
    pen.circle(x, y, radius * 0.55, Edge);
}

pub(super) fn boat(pen: &mut Pen) {
    pen.line("M 0 -.88 L 0 .4", 0.08, Dark);
    pen.fill("M .1 -.85 L .8 .22 .1 .22", Body);
    pen.fill("M -.1 -.6 L -.1 .22 -.68 .22", Light);
    pen.fill(
        "M -.95 .36 L .95 .36 C .85 .65 .7 .88 .5 .88 L -.5 .88 C -.7 .88 -.85 .65 -.95 .36",
        Body,
    );
    pen.line("M -.84 .52 L .84 .52", 0.07, Dark);
}

pub(super) fn car(pen: &mut Pen) {
    pen.fill(
        "M -.62 0 C -.5 -.5 -.4 -.52 -.2 -.52 L .15 -.52 C .35 -.52 .45 -.3 .6 0",
        Body,
    );
    pen.fill(
        "M -.98 .4 C -.98 0 -.95 -.05 -.6 -.06 L .5 -.06 C .95 0 .98 .05 .98 .4",
        Body,
    );
    pen.fill("M -.47 -.06 L -.34 -.4 -.08 -.4 -.08 -.06", Light);
    pen.fill("M .03 -.06 L .03 -.4 .2 -.4 .41 -.06", Light);
    pen.oval(0.88, 0.14, 0.08, 0.07, Light);
    pen.line("M -.03 0 L -.03 .34", 0.03, Dark);
    for x in [-0.52, 0.52] {
        pen.circle(x, 0.4, 0.24, Edge);
        pen.circle(x, 0.4, 0.11, Light);
    }
}

pub(super) fn cloud(pen: &mut Pen) {
    pen.circle(-0.55, 0.18, 0.37, Body);
    pen.circle(-0.12, -0.15, 0.46, Body);
    pen.circle(0.35, 0.0, 0.38, Body);
    pen.circle(0.64, 0.25, 0.3, Body);
    pen.rectangle((-0.55, 0.1), (0.64, 0.55), Body);
}

pub(super) fn face(pen: &mut Pen) {
    pen.circle(0.0, 0.0, 0.92, Body);
    pen.oval(-0.32, -0.25, 0.11, 0.16, Edge);
    pen.oval(0.32, -0.25, 0.11, 0.16, Edge);
    pen.line("M -.48 .22 C -.3 .65 .3 .65 .48 .22", 0.1, Edge);
}

pub(super) fn arrow(pen: &mut Pen) {
    let head = [(0.15, -0.65), (0.95, 0.0), (0.15, 0.65)];
    pen.polygon(
        &[
            head[0],
            head[1],
            head[2],
            (0.15, 0.24),
            (-0.95, 0.24),
            (-0.95, -0.24),
            (0.15, -0.24),
        ],
        Body,
    );
}

pub(super) fn diamond(pen: &mut Pen) {
    let (top, right, bottom, left) = ((0.0, -0.96), (0.68, 0.0), (0.0, 0.96), (-0.68, 0.0));
    pen.polygon(&[top, right, bottom, left], Body);
    pen.polygon(&[top, (0.0, -0.3), (-0.3, 0.0), left], Light);
    pen.polygon(&[bottom, (0.0, 0.3), (0.3, 0.0), right], Dark);
}

pub(super) fn sun(pen: &mut Pen) {
    for ray in 0..12_u8 {
        let turn = f32::from(ray) / 12.0;
        pen.polygon(
            &[
                around(turn - 0.028, 0.62),
                around(turn, 0.98),
                around(turn + 0.028, 0.62),
            ],
            Body,
        );
    }
    pen.circle(0.0, 0.0, 0.52, Body);
}

pub(super) fn mountain(pen: &mut Pen) {
    pen.fill("M .45 -.3 L .98 .75 -.2 .75", Dark);
    pen.fill("M -.2 -.85 L .62 .75 -.98 .75", Body);
    let snow = [
        (-0.2, -0.85),
        (0.05, -0.36),
        (-0.07, -0.22),
        (-0.2, -0.36),
        (-0.34, -0.2),
        (-0.44, -0.36),
    ];
    pen.polygon(&snow, Light);
}

pub(super) fn bird(pen: &mut Pen) {
    pen.line("M -.1 .5 L -.1 .9", 0.06, Dark);
    pen.line("M .12 .5 L .12 .9", 0.06, Dark);
    pen.fill("M .68 -.5 L .98 -.34 .66 -.24", Dark);
    pen.fill("M -.45 0 L -.98 -.35 -.9 .12 -.4 .35", Body);
    pen.oval(0.0, 0.15, 0.58, 0.42, Body);
    pen.circle(0.43, -0.38, 0.34, Body);
    pen.fill(
        "M .2 -.05 C .2 .4 -.25 .45 -.62 .2 -.3 .15 -.2 -.1 .2 -.05",
        Dark,
    );
    eye(pen, 0.5, -0.44, 0.1);
}

pub(super) fn butterfly(pen: &mut Pen) {
    for _side in 0..2 {
        pen.fill("M 0 0 C .2 -.8 .9 -.95 .95 -.6 C 1 -.1 .6 .15 0 .05", Body);
        pen.fill("M 0 0 C .6 0 .85 .3 .7 .62 C .5 .95 .15 .8 0 .2", Body);
        pen.circle(0.62, -0.45, 0.17, Light);
        pen.circle(0.45, 0.42, 0.13, Light);
        pen.line("M 0 -.45 C .02 -.7 .1 -.85 .25 -.9", 0.05, Dark);
        pen.flip();
    }
    pen.oval(0.0, 0.08, 0.09, 0.6, Dark);
}

pub(super) fn leaf(pen: &mut Pen) {
    pen.line("M -.4 .45 L -.85 .9", 0.09, Dark);
    pen.fill(
        "M -.55 .6 C -1.05 -.2 -.3 -.95 .85 -.9 .95 .2 .25 1 -.55 .6",
        Body,
    );
    pen.line("M -.55 .6 L .6 -.65", 0.06, Dark);
    pen.line("M -.26 -.14 L -.26 .29 L .17 .29", 0.045, Dark);
    pen.line("M .03 -.48 L .03 -.02 L .49 -.02", 0.045, Dark);
    pen.line("M .28 -.62 L .28 -.3 L .6 -.3", 0.045, Dark);
}

pub(super) fn rocket(pen: &mut Pen) {
    pen.fill(
        "M -.2 .5 C -.2 .75 -.1 .85 0 .98 .1 .85 .2 .75 .2 .5",
        Light,
    );
    pen.fill("M -.3 0 L -.72 .5 -.66 .75 -.25 .52", Dark);
    pen.fill("M .3 0 L .72 .5 .66 .75 .25 .52", Dark);
    pen.fill(
        "M 0 -.98 C .5 -.6 .45 .2 .27 .58 L -.27 .58 C -.45 .2 -.5 -.6 0 -.98",
        Body,
    );
    pen.fill(
        "M 0 -.98 C .2 -.82 .28 -.68 .33 -.55 L -.33 -.55 C -.28 -.68 -.2 -.82 0 -.98",
        Dark,
    );
    pen.circle(0.0, -0.18, 0.2, Dark);
    pen.circle(0.0, -0.18, 0.13, Light);
}

pub(super) fn balloon(pen: &mut Pen) {
    pen.line("M 0 .45 C .2 .6 -.2 .75 .03 .97", 0.05, Dark);
    pen.fill("M 0 .3 L .13 .5 -.13 .5", Dark);
    pen.fill(
        "M 0 .4 C -.45 .2 -.62 -.15 -.6 -.4 -.55 -1.15 .55 -1.15 .6 -.4 .62 -.15 .45 .2 0 .4",
        Body,
    );
    pen.line("M -.36 -.45 C -.35 -.6 -.28 -.7 -.18 -.75", 0.09, Light);
}

pub(super) fn umbrella(pen: &mut Pen) {
    pen.line("M 0 -.9 L 0 .7 C 0 1 .36 1 .36 .7", 0.1, Dark);
    let dome = "M -.95 .1 C -.9 -1.05 .9 -1.05 .95 .1";
    let hem = ".8 -.08 .47 -.08 .32 .1 .18 -.08 -.18 -.08 -.32 .1 -.47 -.08 -.8 -.08 -.95 .1";
    pen.fill(&format!("{dome} {hem}"), Body);
    pen.line("M -.32 .08 C -.3 -.35 -.15 -.65 0 -.75", 0.05, Dark);
    pen.line("M .32 .08 C .3 -.35 .15 -.65 0 -.75", 0.05, Dark);
}

pub(super) fn mug(pen: &mut Pen) {
    pen.line("M .42 -.25 C 1.05 -.35 1.05 .5 .4 .42", 0.17, Body);
    let right = "M -.75 -.5 L .48 -.5 .44 .55 C .43 .8 .35 .85 .15 .85";
    let left = "L -.42 .85 C -.62 .85 -.7 .8 -.71 .55";
    pen.fill(&format!("{right} {left}"), Body);
    pen.oval(-0.135, -0.5, 0.615, 0.16, Body);
    pen.oval(-0.135, -0.5, 0.5, 0.1, Dark);
}

pub(super) fn key(pen: &mut Pen) {
    pen.hoop(-0.58, 0.0, 0.28, 0.19, Body);
    pen.line("M -.25 0 L .85 0", 0.17, Body);
    pen.rectangle((0.42, 0.0), (0.57, 0.36), Body);
    pen.rectangle((0.72, 0.0), (0.9, 0.44), Body);
}

pub(super) fn apple(pen: &mut Pen) {
    pen.line("M 0 -.5 C 0 -.7 .05 -.82 .12 -.92", 0.09, Dark);
    pen.fill(
        "M .1 -.58 C .2 -.9 .5 -.95 .68 -.88 .65 -.6 .35 -.5 .1 -.58",
        Dark,
    );
    let left = "M 0 -.48 C -.4 -.75 -.85 -.5 -.82 .05 C -.8 .6 -.4 1.1 0 .88";
    let right = "C .4 1.1 .8 .6 .82 .05 C .85 -.5 .4 -.75 0 -.48";
    pen.fill(&format!("{left} {right}"), Body);
    pen.line("M -.58 .05 C -.58 -.15 -.5 -.28 -.4 -.32", 0.09, Light);
}

pub(super) fn cat(pen: &mut Pen) {
    for _side in 0..2 {
        pen.fill("M .82 -.95 L .12 -.5 L .8 -.05", Body);
        pen.fill("M .7 -.72 L .36 -.5 L .7 -.28", Dark);
        pen.flip();
    }
    pen.oval(0.0, 0.15, 0.86, 0.7, Body);
    for _side in 0..2 {
        pen.oval(0.34, 0.02, 0.14, 0.17, Light);
        pen.oval(0.34, 0.02, 0.06, 0.16, Edge);
        pen.line("M 0 .4 C .05 .56 .2 .56 .26 .48", 0.055, Edge);
        pen.line("M .5 .3 L .96 .2", 0.04, Edge);
        pen.line("M .5 .42 L .96 .48", 0.04, Edge);
        pen.flip();
    }
    pen.fill("M -.11 .26 L .11 .26 L 0 .4", Edge);
}
