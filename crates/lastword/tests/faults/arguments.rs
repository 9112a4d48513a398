//! The command line.

use clap::Parser;

use crate::real::cargo::FromCargo;
use crate::shared::Sabotage;

/// Real processes, real faults: a group on this machine, people who write, and trouble; then everything that
/// was acknowledged must be there.
#[derive(Parser, Debug, Clone)]
pub struct Arguments {
    /// How many minutes of faults [default: 100 s, each kind of fault once or more].
    #[arg(long)]
    pub minutes: Option<f64>,
    /// The same seed draws the same faults and deeds. (Not the same run: processes and disks take their time.)
    #[arg(long, default_value_t = 7)]
    pub seed: u64,
    /// How many people.
    #[arg(long, default_value_t = 40)]
    pub people: usize,
    /// Only these kinds of faults: words of their names, separated by commas. Of the figures: kill, freeze, rejoin,
    /// strangers, crowd.
    #[arg(long, value_delimiter = ',')]
    pub only: Vec<String>,
    /// Measures how long clients wait, instead.
    #[arg(long)]
    pub figures: bool,
    /// Measured are the answers to so many clients: this process is some of them.
    #[arg(long, hide = true, value_delimiter = ',')]
    pub swarm: Vec<String>,
    /// Their tokens.
    #[arg(long, hide = true)]
    pub tokens: Option<std::path::PathBuf>,
    /// Keeps data and logs, also of a run that went well.
    #[arg(long)]
    pub keep: bool,
    /// Spoils what people are shown: the run must fail.
    #[arg(long, hide = true)]
    pub sabotage: Option<Sabotage>,
    #[command(flatten)]
    pub cargo: FromCargo,
}
