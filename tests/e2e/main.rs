//! The real program over real files, real HTTP and the bundled model.

mod api;
mod cli;
mod cutoff;
mod decisions;
mod deleted;
mod demo;
mod eval;
mod examples;
mod figures;
mod hooks;
mod hub;
mod index;
mod lab;
mod queries;
mod readme;
mod restart;
mod sidecars;
mod tags;
mod transfer;
mod watch;
mod wire;
