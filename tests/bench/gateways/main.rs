//! `cargo xtask bench gateways`: what the local API adds to a request, beside other gateways.
//!
//! Every gateway forwards to the same server on the loopback, which answers at once, and is asked by the same client; "directly" is that
//! client without a gateway. A single caller alternates between all of them with each request; many callers take turns of some seconds.
//! The client's clock counts: from the first byte of the request to the first content of a streamed answer, and to the end of each answer.
//! The client, the server and the gateway share the processors.

#![allow(clippy::unwrap_used, reason = "a measurement that cannot go on ends")]

mod caller;
mod gateway;
mod upstream;

use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use aura_tests::quantile::quantile;
use caller::{Caller, Taken};
use futures::future::join_all;
use gateway::Gateway;

/// Concurrent callers of the load.
const CALLERS: usize = 64;
/// Requests of each kind to each gateway before anything is counted.
const WARM_UP: usize = 200;
/// Requests of a single caller to each gateway in a round.
const IN_A_ROUND: usize = 200;
/// How long the load on a gateway lasts in a round.
const LOAD: Duration = Duration::from_secs(2);

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [rounds, programs, peers @ ..] = arguments.as_slice() else {
        eprintln!("usage: bench-gateways ROUNDS FOLDER [NAME=PROGRAM …]; `cargo xtask bench gateways` calls it");
        return ExitCode::from(2);
    };
    let programs = Path::new(programs);
    let build = if programs.ends_with("release") { "optimised" } else { "debug" };
    let rounds: usize = rounds.parse().unwrap();
    println!("a chat request of {} pieces, {build} build, {rounds} interleaved rounds", upstream::PIECES);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut measured = vec![Measured::new(Gateway::none(upstream::serve()))];
        let address = measured[0].gateway.address.clone();
        measured.push(Measured::new(Gateway::aura(programs, &address)));
        for peer in peers {
            let (name, program) = peer.split_once('=').unwrap();
            measured.push(Measured::new(Gateway::peer(name, program, &address)));
        }
        for one in &measured {
            one.gateway.wait().await;
        }
        measure(&mut measured, rounds).await;
    });
    ExitCode::SUCCESS
}

/// A gateway with what was measured of it, for whole answers and streamed ones.
struct Measured {
    gateway: Gateway,
    alone: [Vec<Taken>; 2],
    load: [Load; 2],
}

/// The answers to many callers.
#[derive(Default)]
struct Load {
    taken: Vec<Taken>,
    time: Duration,
}

impl Measured {
    fn new(gateway: Gateway) -> Self {
        Self { gateway, alone: Default::default(), load: Default::default() }
    }
}

async fn measure(measured: &mut [Measured], rounds: usize) {
    let mut callers = Vec::new();
    for one in measured.iter() {
        callers.push(Caller::connect(&one.gateway).await);
    }
    for streamed in [false, true] {
        for caller in &mut callers {
            for _ in 0..WARM_UP {
                caller.ask(streamed).await;
            }
        }
    }
    for _ in 0..rounds {
        for streamed in [false, true] {
            for _ in 0..IN_A_ROUND {
                for (one, caller) in measured.iter_mut().zip(&mut callers) {
                    one.alone[usize::from(streamed)].push(caller.ask(streamed).await);
                }
            }
        }
        for streamed in [false, true] {
            for one in measured.iter_mut() {
                let load = load(&one.gateway, streamed).await;
                one.load[usize::from(streamed)].taken.extend(load.taken);
                one.load[usize::from(streamed)].time += load.time;
            }
        }
    }
    for (title, streamed) in [("whole answers", false), ("streamed answers", true)] {
        print(title, measured, usize::from(streamed));
    }
    println!("\nmost memory, MB");
    for one in measured.iter() {
        if let Some(peak) = one.gateway.peak_memory() {
            println!("{:20} {:9.1}", one.gateway.name, peak as f64 / 1024.0);
        }
    }
}

/// Callers that ask again as soon as they have an answer.
async fn load(gateway: &Gateway, streamed: bool) -> Load {
    let mut callers = Vec::new();
    for _ in 0..CALLERS {
        callers.push(Caller::connect(gateway).await);
    }
    let began = Instant::now();
    let each = callers.into_iter().map(async |mut caller| {
        let mut taken = Vec::new();
        while began.elapsed() < LOAD {
            taken.push(caller.ask(streamed).await);
        }
        taken
    });
    let taken = join_all(each).await.concat();
    Load { taken, time: began.elapsed() }
}

/// Prints the time of a direct call and what each gateway adds to it, in microseconds, and how many requests it serves.
fn print(title: &str, measured: &[Measured], kind: usize) {
    println!("\n{title:20} {:>9} {:>9} {:>9} {:>9} {:>11}", "p50 µs", "p99 µs", "first p50", "first p99", "requests/s");
    let alone = |one: &Measured, time: fn(&Taken) -> Duration, part| {
        quantile(one.alone[kind].iter().map(time), part).unwrap_or_default().as_secs_f64() * 1e6
    };
    for (number, one) in measured.iter().enumerate() {
        let cell = |time: fn(&Taken) -> Duration, part| match number {
            0 => format!("{:.0}", alone(one, time, part)),
            _ => format!("{:+.0}", alone(one, time, part) - alone(&measured[0], time, part)),
        };
        let [p50, p99] = [0.5, 0.99].map(|part| cell(|taken| taken.whole, part));
        let [first50, first99] = [0.5, 0.99].map(|part| cell(|taken| taken.first, part));
        let rate = one.load[kind].taken.len() as f64 / one.load[kind].time.as_secs_f64();
        println!("{:20} {p50:>9} {p99:>9} {first50:>9} {first99:>9} {rate:>11.0}", one.gateway.name);
    }
    println!("with {CALLERS} callers");
    for one in measured {
        let at = |part| {
            quantile(one.load[kind].taken.iter().map(|taken| taken.whole), part).unwrap_or_default().as_secs_f64() * 1e3
        };
        println!("{:20} {:>6.2} ms {:>6.2} ms", one.gateway.name, at(0.5), at(0.99));
    }
}
