//! The real program over real files, real HTTP and the bundled model.

mod absence;
mod access;
mod api;
mod backup;
mod bombs;
mod bounds;
#[cfg(target_os = "linux")]
mod chaos;
mod cli;
mod companions;
mod cutoff;
mod damage;
mod decisions;
mod deleted;
mod demo;
mod eval;
mod events;
mod examples;
mod figures;
#[cfg(target_os = "linux")]
mod fuse;
mod hooks;
mod http;
mod hub;
mod imports;
mod index;
mod inspect;
mod interface;
mod journal;
mod lab;
mod label_files;
mod models;
#[cfg(target_os = "linux")]
mod mounts;
mod queries;
mod readers;
mod readme;
mod restart;
mod service;
mod sidecars;
mod tags;
mod terminal;
mod transfer;
#[cfg(target_os = "linux")]
mod trouble;
mod upgrades;
mod videos;
mod watch;
#[cfg(target_os = "linux")]
mod watches;
mod wire;
