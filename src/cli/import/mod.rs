//! `pixdex import`: what was made or said elsewhere.

mod embeddings;
mod words;

use anyhow::Result;
use clap::Subcommand;

use crate::config::Config;
use crate::import::Program;

/// Take over what was made or said elsewhere: embeddings, and the words of other photo programs.
#[derive(Debug, Subcommand)]
pub(super) enum Import {
    /// Read embeddings that another pixdex exported with the same model; their pictures need not be there yet
    Embeddings(embeddings::Embeddings),
    /// Take over the tags that digiKam keeps in its database
    Digikam(words::FromProgram),
    /// Take over tags and albums that Immich's API gave out
    #[command(after_long_help = include_str!("../help/import_immich.txt"))]
    Immich(words::FromProgram),
    #[command(about = "Take over keywords and albums from the YAML files of PhotoPrism")]
    Photoprism(words::FromProgram),
    /// Make decisions of the keywords that files carry, in themselves or in their sidecars: Lightroom's, digiKam's, anybody's
    Keywords(words::FromFiles),
    /// Take out the keywords again that were taken over from a program
    Forget(words::Forget),
}

impl Import {
    pub(super) fn run(self, config: &Config) -> Result<()> {
        match self {
            Import::Embeddings(command) => command.run(config),
            Import::Digikam(command) => command.run(Program::Digikam, config),
            Import::Immich(command) => command.run(Program::Immich, config),
            Import::Photoprism(command) => command.run(Program::Photoprism, config),
            Import::Keywords(command) => command.run(config),
            Import::Forget(command) => command.run(config),
        }
    }
}
