//! `plumbline demo`: the main job before your eyes.
//!
//! Everything is real but the cloud: a double of AWS (moto) on a free port, into which the recording of a Terraform run and of
//! changes behind its back is replayed, and this very executable as `plumbline up` in a fresh folder. What the demo does then, it
//! does over the API like any customer.

mod backstage;
mod story;

use crate::commands::scratch::Scratch;
use anyhow::{Context as _, Result, bail};
use backstage::{Double, Platform};
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;
use story::Story;
use tokio::signal::unix::{SignalKind, signal};

/// Scan a recorded AWS account that was changed behind Terraform's back, and show the drift.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  make demo                # installs what it needs first\n  plumbline demo --once    # ends by itself; exit status 0 if every step held"
)]
pub struct Args {
    /// End after the drift was shown, and clean up, instead of serving on. Always so where standard output is no terminal.
    #[arg(long)]
    once: bool,
    /// Folder with the recordings.
    #[arg(long, value_name = "FOLDER", default_value = "tests/fixtures")]
    fixtures: PathBuf,
    /// A Python that has moto.
    #[arg(long, value_name = "FILE", default_value = ".tools/moto/bin/python")]
    python: PathBuf,
}

/// Plays the demo; whatever happens, nothing is left running.
pub async fn run(args: Args) -> Result<ExitCode> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    for needed in [&args.python, &args.fixtures.join("aws-core/apply.jsonl")] {
        require(needed)?;
    }
    let scratch = Scratch::new("demo")?;
    let mut stage = Stage::default();
    let result = tokio::select! {
        result = play(&args, &scratch, &mut stage) => result,
        _ = interrupt.recv() => stopped(args.once),
        _ = terminate.recv() => stopped(args.once),
    };
    stage.clear().await;
    result.map(|()| ExitCode::SUCCESS)
}

/// Told to stop: the way to end what serves on, but not what ends by itself.
fn stopped(once: bool) -> Result<()> {
    if once {
        bail!("interrupted");
    }
    Ok(())
}

/// What runs for the demo.
#[derive(Debug, Default)]
struct Stage {
    double: Option<Double>,
    platform: Option<Platform>,
}

impl Stage {
    /// Stops all of it.
    async fn clear(self) {
        if let Some(platform) = self.platform {
            platform.stop().await;
        }
        if let Some(double) = self.double {
            double.stop().await;
        }
    }
}

fn require(path: &Path) -> Result<()> {
    if !path.exists() {
        bail!(
            "{} is missing; run `make demo` in plumbline's repository, which installs what the demo needs",
            path.display()
        );
    }
    Ok(())
}

/// Says what happens, on stderr.
fn say(text: &str) {
    eprintln!("demo: {text}");
}

async fn play(args: &Args, scratch: &Scratch, stage: &mut Stage) -> Result<()> {
    let start = Instant::now();
    say("starting a double of AWS, and Plumbline in a fresh folder");
    let double = stage.double.insert(Double::start(&args.python, &args.fixtures, scratch)?);
    let endpoint = double.url();
    let platform = stage.platform.insert(Platform::start(&endpoint, scratch)?);
    let core = args.fixtures.join("aws-core");
    say("replaying what Terraform created there, and what was changed behind its back");
    let (replayed, ready) = tokio::join!(double.replay(&args.python, &args.fixtures, &core), platform.ready());
    replayed?;
    let url = ready?;
    say(&format!("serving at {url} after {:.1} s", start.elapsed().as_secs_f64()));

    let (org, key) = platform.admit(scratch).await?;
    let story = Story::begin(&url, &key, &org)?;
    let state = tokio::fs::read(core.join("terraform.tfstate")).await.context("cannot read the recorded state")?;
    let report = story.tell(state).await?;
    println!();
    crate::render::drift::print(&mut std::io::stdout().lock(), &report)?;
    println!();
    if report.items.is_empty() {
        bail!("no drift was found, although the recorded account was changed");
    }
    say(&format!("from nothing to the drift of a whole account in {:.1} s", start.elapsed().as_secs_f64()));
    if args.once || !std::io::stdout().is_terminal() {
        return Ok(());
    }
    say("it goes on serving; stop it with Ctrl-C. Look around:");
    eprintln!("\n  {url}/api/v2/docs\n  curl -H 'X-API-Key: {key}' {url}{}/scans\n", story.place());
    std::future::pending().await
}
