//! `pixdex token`: who may ask from other machines, and for what.

use anyhow::{Result, ensure};
use clap::{Args, Subcommand};

use super::backend::Backend;
use super::output;
use crate::config::Config;
use crate::store::{Scope, TokenName};
use crate::wire::{AddToken, NewToken, Token as Known, TokenRemoved};

/// Give out tokens, list them, and take them back: who shows one may ask from other machines.
#[derive(Debug, Subcommand)]
#[command(after_long_help = include_str!("help/token.txt"))]
pub(super) enum Token {
    /// Give out a token: it is printed once, and kept nowhere
    Add(Add),
    /// List tokens, with what each is good for and when it was last used
    List {
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
    /// Take a token back: it is of no use from that moment on, nor are browsers that logged in with it
    Remove(Remove),
}

#[derive(Debug, Args)]
pub(super) struct Add {
    /// What you call it, such as the device that it is for
    #[arg(value_name = "NAME")]
    name: TokenName,
    /// What it is good for: read (look at everything), label (and change label sets and tags), admin (and take pictures out, and give
    /// out tokens)
    #[arg(
        long,
        value_name = "SCOPE",
        default_value = "read",
        hide_possible_values = true
    )]
    scope: Scope,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(super) struct Remove {
    /// Its name, as `pixdex token list` tells it
    #[arg(value_name = "NAME")]
    name: TokenName,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

impl Token {
    pub(super) fn run(self, config: &Config) -> Result<()> {
        match self {
            Token::Add(Add { name, scope, json }) => {
                let backend = Backend::find_or_make(config)?;
                let given = backend.add_token(&AddToken { name, scope })?;
                output::print(&given, json, print_new)
            }
            Token::List { json } => {
                let tokens = Backend::find(config)?.tokens()?;
                output::print(&tokens, json, |all| all.tokens.iter().for_each(print_known))
            }
            Token::Remove(Remove { name, json }) => {
                let removed = Backend::find(config)?.remove_token(&name)?;
                output::print(&removed, json, |TokenRemoved { removed }| {
                    print_line!("{removed} is taken back");
                })
            }
        }
    }
}

/// The token alone, so that a script can take it.
fn print_new(NewToken { token, .. }: &NewToken) {
    print_line!("{token}");
}

fn print_known(token: &Known) {
    let Known {
        name,
        scope,
        created_at,
        last_used_at,
    } = token;
    let used = last_used_at.as_deref().unwrap_or("never");
    let scope = scope.name();
    print_line!("{name}: {scope}, given out {created_at}, last used {used}");
}

/// Whoever lets other machines ask knows who they are, or said that they may be anybody.
pub(super) fn check_remote(config: &Config) -> Result<()> {
    if config.http.is_local() || config.http.allow_anonymous {
        return Ok(());
    }
    let tokens = Backend::find_or_make(config)?.tokens()?.tokens;
    let address = config.http.listen;
    ensure!(
        !tokens.is_empty(),
        "`{address}` can be reached from other machines: give them a token first with `pixdex token add NAME`, listen on \
         127.0.0.1, or let anybody see every picture and change every tag with --allow-anonymous"
    );
    Ok(())
}
