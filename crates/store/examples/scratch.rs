#![allow(warnings)]
use std::time::{Duration, Instant};
use callboard_store::sqlite::{SqliteOptions, SqliteStore};
use callboard_store::suite::load::{component, outcome, processed_component};
use callboard_store::suite::world::{World, entity, processed};
use callboard_store::{Outcome, OutcomeKind, Processed, Store as _};
fn cpu() -> f64 {
    let s = std::fs::read_to_string("/proc/self/stat").unwrap();
    let f: Vec<&str> = s.rsplit(')').next().unwrap().split_whitespace().collect();
    (f[11].parse::<f64>().unwrap() + f[12].parse::<f64>().unwrap()) * 10_000.0
}
fn rss() -> String { std::fs::read_to_string("/proc/self/status").unwrap().lines().find(|l| l.starts_with("VmRSS")).unwrap().to_owned() }
#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let n: usize = std::env::args().nth(1).map_or(50_000, |a| a.parse().unwrap());
    let b: usize = std::env::args().nth(2).map_or(2000, |a| a.parse().unwrap());
    let dir = tempfile::tempdir_in(std::env::var("DIR").unwrap_or("/tmp".into())).unwrap();
    let path = dir.path().join("b.db");
    let store = SqliteStore::open(SqliteOptions::file(&path)).await.unwrap();
    let world = World::new(&store);
    let mut t = [0.0; 4]; let mut c = [0.0; 4];
    for batch in 0..n / b {
        let loc = format!("location:default/root-{batch}");
        world.delta("bench", [entity(&loc, "x")], &[]).await;
        let claim = world.claim_one(&loc).await;
        let children = (batch * b..(batch + 1) * b).map(component).collect();
        let later = world.now + Duration::from_secs(120);
        let parent = outcome(&claim, Processed { children, ..processed(&loc, "x") }, later);
        let parent = [parent];
        let (i, k) = (Instant::now(), cpu());
        let report = world.commit_all(&parent, b).await;
        t[0] += i.elapsed().as_secs_f64(); c[0] += cpu() - k;
        let outs: Vec<Outcome> = report.handed.iter().enumerate().map(|(x, claim)| {
            let spread = Duration::from_millis((x as u64).wrapping_mul(7919) % 60_000);
            outcome(claim, processed_component(batch * b + x), later + spread)
        }).collect();
        let (i, k) = (Instant::now(), cpu());
        world.commit_all(&outs, 0).await;
        t[1] += i.elapsed().as_secs_f64(); c[1] += cpu() - k;
        let (i, k) = (Instant::now(), cpu());
        let r = world.stitch().await;
        t[2] += i.elapsed().as_secs_f64(); c[2] += cpu() - k;
    }
    let us = |x: f64| x * 1e6 / n as f64;
    for (s, name) in ["take in", "commit", "stitch"].iter().enumerate() {
        println!("{name}: wall {:.1} cpu {:.1} us/entity", us(t[s]), c[s] / n as f64);
    }
    println!("{}", rss());
    // steady state
    let mut w = World::new(&store); w.pass(Duration::from_secs(200));
    let (mut tc, mut tu, mut m) = (0.0, 0.0, 0);
    let k = cpu();
    loop {
        let i = Instant::now();
        let claims = w.claim(b).await; tc += i.elapsed().as_secs_f64();
        if claims.is_empty() { break; }
        m += claims.len();
        let outs: Vec<Outcome> = claims.iter().map(|c| Outcome { kind: OutcomeKind::Unchanged, next_update_at: Some(w.now + Duration::from_millis(100_000 + (c.id.0 as u64).wrapping_mul(7919) % 60_000)), ..outcome(c, processed_component(1), w.now) }).collect();
        let i = Instant::now();
        w.commit_all(&outs, 0).await; tu += i.elapsed().as_secs_f64();
    }
    println!("steady: claim {:.1} commit unchanged {:.1} cpu all {:.1} us/entity", tc * 1e6 / m as f64, tu * 1e6 / m as f64, (cpu() - k) / m as f64);
    let i = Instant::now(); let mut after = None; let mut m = 0;
    loop { let p = store.entities_page(after.as_deref(), 1000).await.unwrap(); m += p.entities.len(); after = p.next_after; if after.is_none() { break; } }
    println!("pages: {:.1} us/entity", i.elapsed().as_secs_f64() * 1e6 / m as f64);
    let i = Instant::now(); store.counts(world.now).await.unwrap(); println!("counts {:?}", i.elapsed());
    let i = Instant::now(); store.orphans_delete(100, world.now).await.unwrap(); println!("orphans first {:?}", i.elapsed());
    let i = Instant::now(); store.orphans_delete(100, world.now).await.unwrap(); println!("orphans {:?}", i.elapsed());
    let i = Instant::now(); for x in 0..1000 { store.entity_by_ref(&callboard_store::suite::load::component_ref(x*7 % n)).await.unwrap().unwrap(); } println!("by ref {:?}/1000", i.elapsed());
    println!("{}", rss());
    store.close().await;
    let size = std::fs::metadata(&path).unwrap().len();
    println!("{} B/entity", size / n as u64);
    if std::env::var("KEEP").is_ok() { std::fs::copy(&path, "/tmp/b.db").unwrap(); }
}
