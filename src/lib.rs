//! pixdex watches picture folders, embeds every picture once with CLIP, tags it against its owner's label sets and
//! answers searches written in plain words.
//!
//! # The flow
//!
//! Data flows one way, left to right, and comes back only as an answer:
//!
//! ```text
//! folder ─ watch ─> ingest ─> decode ─> embed ─> store ─> index ─┐
//!                                                  │             ├─> search ─> serve ─> browser, curl, CLI
//! label file ─ watch ─────────────────> tag <──────┘─────────────┘
//!                                        └─> outbox ─> hooks ─> the owner's addresses and programs
//! ```
//!
//! # The code map
//!
//! The modules below stand in dependency order, which is also the reading order: a module imports only modules named
//! above it, inside a folder too, and `tests/layering.rs` fails on an import that points the other way or in a circle.
//!
//! | module | the question it answers |
//! | --- | --- |
//! | `shown` | how is a text shown that may hold anything? |
//! | [`config`] | what did the owner ask for? |
//! | `priority` | who gives way to whom? |
//! | [`stop`] | how do all who work in the background end, and in time? |
//! | [`random`] | which random numbers are the same in every run? |
//! | `figures` | how often was what done, and how long did it take? |
//! | `pause` | when is what failed tried again? |
//! | `child` | how does a program that was started end in time? |
//! | `ownership` | what stays of a file that another takes the place of? |
//! | `spelling` | which names are one, however they are spelt? |
//! | `charset` | what do these bytes mean as text, where nobody says? |
//! | `calendar` | which days are there? |
//! | `kernels` | what is the product of these vectors or matrices, in the widest instructions at hand? |
//! | [`model`] | where does the model come from, and what shape has it? |
//! | [`embed`] | what is the embedding of these pixels, of this text? |
//! | [`formats`] | which picture formats are read, and what distinguishes them? |
//! | `xmp` | which keywords does this packet hold, and how are some written into it? |
//! | [`decode`] | what picture do these bytes hold, and what do they say about it? |
//! | `pictures` | what becomes of files and uploads, one large picture at a time? |
//! | [`store`] | what is known? `SQLite`, the truth |
//! | [`import`] | what do other photo programs know of which pictures? |
//! | [`index`] | which images are nearest to this embedding? |
//! | `watch` | which paths are worth a look? |
//! | [`tag`] | which labels does an image carry? |
//! | [`search`] | which images answer this query? |
//! | [`library`] | what is a library, and how is it opened? |
//! | [`upkeep`] | what keeps a library sound over the years? |
//! | [`sidecar`] | which keywords stand beside a picture, and which shall? |
//! | [`ingest`] | how does a file become a searchable, tagged image? |
//! | `hooks` | who hears that an image gained a label? |
//! | [`wire`] | what do HTTP and the command line ask and answer? |
//! | `serve` | how does all this look over HTTP? |
//! | `daemon` | who wires all that works on a library, and stops it? |
//! | [`demo`] | which drawn pictures are there to try things out on? |
//! | [`cli`] | what can be typed in a terminal? |
//! | `fuzz` | what must hold of whatever bytes come from outside? Built for `tests/fuzz` only |
//!
//! # Invariants
//!
//! 1. `SQLite` is the truth; the index is a cache, and is rebuilt from the store where its file is missing or damaged.
//! 2. Content is identity: the same bytes under ten names are one image, embedded once, tagged once, one hit.
//! 3. The scan is the truth, events are hints: one reconcile pass brings the library to the state of the folders.
//! 4. Absence is proved before it is believed: a root, a mount or much at once that is away is kept and marked, until it is back.
//! 5. One bad file never stops the rest. A decoder's verdict stays until the file or the decoders change; whatever else goes wrong
//!    keeps the image that was there and is tried again. Both are listed with their reasons.
//! 6. Each tower is run by threads of its own and by no others; one connection writes. Every channel is bounded.
//! 7. Every [`embed::Embedding`] is finite and of unit length; its constructor is the only door.
//! 8. Search works while everything else does, also while the library goes over to another model: the one of before answers until
//!    all pictures are embedded with the other, which then takes its place between two requests.
//! 9. Nothing writes into a watched folder but sidecars, where its owner asked for them, and never into a picture.
//! 10. Files are served by image id only, never by a path from a request, and opened through one door, `pictures`.
//! 11. What a person decided about a tag wins over every score, outlives label files, models and labels, and has a second copy.
//! 12. What a hook is to hear is written with the tag itself, and goes only when the hook has taken it.
//! 13. Whoever works in the background hears one [`stop::Stop`] and is waited for to one deadline; no thread is left behind.
//! 14. A library has one owner that writes; whoever only reads can open it also where it cannot be written.
//! 15. A rule stands once: what is parsed is parsed at the door into a type, which HTTP, JSON and command line share.

#![cfg_attr(not(test), warn(clippy::unwrap_used))]

// One by one, so that the formatter leaves them in dependency order.

pub(crate) mod shown;

pub mod config;

pub(crate) mod priority;

pub mod stop;

pub mod random;

pub(crate) mod figures;

pub(crate) mod pause;

pub(crate) mod child;

pub(crate) mod ownership;

pub(crate) mod spelling;

pub(crate) mod charset;

pub(crate) mod calendar;

pub(crate) mod kernels;

pub mod model;

pub mod embed;

pub mod formats;

pub(crate) mod xmp;

pub mod decode;

pub(crate) mod pictures;

pub mod store;

pub mod import;

pub mod index;

pub(crate) mod watch;

pub mod tag;

pub mod search;

pub mod library;

pub mod upkeep;

pub mod sidecar;

pub mod ingest;

pub(crate) mod hooks;

pub mod wire;

pub(crate) mod serve;

mod service;

pub(crate) mod daemon;

pub mod demo;

pub mod cli;

#[cfg(fuzzing)]
pub mod fuzz;
