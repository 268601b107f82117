//! The real program over real files, real HTTP and the bundled model.

mod api;
mod cli;
mod decisions;
mod demo;
mod eval;
mod figures;
mod hub;
mod index;
mod lab;
mod restart;
mod tags;
mod watch;
