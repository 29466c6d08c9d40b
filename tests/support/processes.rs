//! What a program and its children use of the machine, as Linux counts it.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

/// Clock ticks in a second, as the kernel's interface to programs has them on every machine that AURA is built for.
const TICKS: f64 = 100.0;

/// One process of the program.
#[derive(Debug, Clone)]
pub struct Process {
    /// Its id.
    pub id: u32,
    /// Its name, of which the kernel keeps 15 letters.
    pub name: String,
    /// The time it worked so far.
    pub worked: Duration,
}

impl Process {
    fn read(id: u32) -> Option<(u32, Self)> {
        let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
        // The name stands in brackets and may hold anything.
        let (begin, end) = (stat.find('(')?, stat.rfind(')')?);
        let fields: Vec<&str> = stat[end + 1..].split_whitespace().collect();
        let ticks = fields.get(11)?.parse::<f64>().ok()? + fields.get(12)?.parse::<f64>().ok()?;
        let worked = Duration::from_secs_f64(ticks / TICKS);
        Some((fields.get(1)?.parse().ok()?, Self { id, name: stat[begin + 1..end].to_owned(), worked }))
    }

    /// Its memory.
    pub fn memory(&self) -> Option<Memory> {
        let rollup = std::fs::read_to_string(format!("/proc/{}/smaps_rollup", self.id)).ok()?;
        let of = |name: &str| -> Option<u64> {
            let line = rollup.lines().find(|line| line.starts_with(name))?;
            line.split_whitespace().nth(1)?.parse().ok()
        };
        let own = of("Private_Dirty:")?;
        Some(Memory { rss: of("Rss:")?, pss: of("Pss:")?, own })
    }

    /// Whether it shows web pages.
    pub fn is_web(&self) -> bool {
        self.name.starts_with("WebKit")
    }
}

/// Memory in kilobytes.
#[derive(Debug, Clone, Copy, Default)]
pub struct Memory {
    /// All that is in memory, also what others have too.
    pub rss: u64,
    /// The same, with what is shared divided among those who share it.
    pub pss: u64,
    /// Only what it wrote itself and nobody else has. Unlike the others it does not change when another program begins or ends that uses
    /// the same libraries.
    pub own: u64,
}

impl std::ops::AddAssign for Memory {
    fn add_assign(&mut self, other: Self) {
        self.rss += other.rss;
        self.pss += other.pss;
        self.own += other.own;
    }
}

/// A process and all that came of it, the youngest generation last.
pub fn family(root: u32) -> Vec<Process> {
    let ids = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let ids = ids.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    let mut all: HashMap<u32, Process> = HashMap::new();
    for (parent, process) in ids.filter_map(Process::read) {
        children.entry(parent).or_default().push(process.id);
        all.insert(process.id, process);
    }
    let (mut order, mut seen) = (vec![root], HashSet::from([root]));
    let mut at = 0;
    while let Some(id) = order.get(at) {
        let of_it = children.get(id).cloned().unwrap_or_default();
        order.extend(of_it.into_iter().filter(|child| seen.insert(*child)));
        at += 1;
    }
    order.into_iter().filter_map(|id| all.remove(&id)).collect()
}

/// How much of one core each process of a family used over a time, 1.0 being all of it; the busiest first.
pub fn shares_of_a_core(root: u32, over: Duration) -> Vec<(String, f64)> {
    let before: HashMap<u32, Duration> = family(root).into_iter().map(|process| (process.id, process.worked)).collect();
    let begun = std::time::Instant::now();
    std::thread::sleep(over);
    let after = family(root);
    let took = begun.elapsed().as_secs_f64();
    let share = |process: Process| {
        let earlier = before.get(&process.id).copied().unwrap_or_default();
        (process.name, process.worked.saturating_sub(earlier).as_secs_f64() / took)
    };
    let mut shares: Vec<(String, f64)> = after.into_iter().map(share).collect();
    shares.sort_by(|one, other| other.1.total_cmp(&one.1));
    shares
}
