//! The command line.

use std::path::PathBuf;

use clap::Parser;

use crate::real::cargo::FromCargo;

/// Attacks on a group of real processes, and what ordinary people notice of them.
#[derive(Parser, Debug, Clone)]
pub struct Arguments {
    /// Every attack in each of its forms, for longer, judged by the goal; prints a table.
    #[arg(long)]
    pub full: bool,
    /// Only attacks whose names contain one of these, separated by commas.
    #[arg(long, value_delimiter = ',')]
    pub only: Vec<String>,
    /// How long each attack takes, in seconds [default: 0.6, with --full 8].
    #[arg(long)]
    pub seconds: Option<f64>,
    /// Names the attacks.
    #[arg(long)]
    pub names: bool,
    /// Keeps data and logs, also of a run that went well.
    #[arg(long)]
    pub keep: bool,
    /// This process is the attackers': what it needs to know stands in this file.
    #[arg(long, hide = true)]
    pub ground: Option<PathBuf>,
    #[command(flatten)]
    pub cargo: FromCargo,
}
