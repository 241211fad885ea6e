//! Scores the detector on the Numenta Anomaly Benchmark (Lavin and Ahmad, 2015), and its time a point.
//!
//! `cargo bench -p sporenet-benches --bench nab -- FOLDER`, where the folder holds the benchmark's data and its
//! `windows.json`. Known standard scores on all 58 series: `ARTime` 74.9, HTM 70.5, CAD OSE 69.9, random cut
//! forest 51.7, Twitter 47.

#![expect(
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    clippy::type_complexity,
    reason = "a benchmark over files in memory: indices come from the same vectors, counts are small"
)]

#[path = "nab/data.rs"]
mod data;
#[path = "nab/score.rs"]
mod score;

use data::Series;
use score::{PROFILES, Profile, Scored, best_threshold, normalised, prepare, probation, raw};
use sporenet_core::detection::detect::Detector;
use std::{path::PathBuf, time::Instant};

fn main() -> Result<(), String> {
    // cargo adds `--bench` to what it passes on.
    let mut arguments = std::env::args().skip(1);
    let Some(folder) = arguments.find(|argument| argument != "--bench") else {
        println!("nab: no folder with the benchmark's data is named; see benches/nab.rs");
        return Ok(());
    };
    let series = data::read(&PathBuf::from(folder))?;
    let windows: usize = series.iter().map(|one| one.windows.len()).sum();
    let points: usize = series.iter().map(|one| one.points.len()).sum();
    println!(
        "{} series, {points} points, {windows} windows",
        series.len()
    );
    check_the_scorer(&series)?;

    let mut seconds = 0.0;
    let mut scores: Vec<Vec<f64>> = Vec::new();
    for one in &series {
        // The best of nine: others use the machine as well.
        let times = (0..9).map(|_| {
            let began = Instant::now();
            std::hint::black_box(detect(one));
            began.elapsed().as_secs_f64()
        });
        seconds += times.fold(f64::INFINITY, f64::min);
        scores.push(detect(one));
    }
    let micros = seconds * 1e6 / points as f64;
    println!(
        "{micros:.3} µs a point, {} bytes a detector\n",
        size_of::<Detector>()
    );

    let judged = judge(&series, &scores);
    let all: Vec<&Scored> = judged.iter().collect();
    for profile in PROFILES {
        let (threshold, best) = best_threshold(&all, profile);
        let alarm = sum(&all, profile, 0.5);
        println!(
            "{:20} {:6.2} at threshold {threshold:.4}; {:6.2} at 0.5",
            profile.name,
            normalised(best, windows, profile),
            normalised(alarm, windows, profile)
        );
    }
    per_file(&series, &judged, PROFILES[0]);
    cross_validate(&judged);
    Ok(())
}

fn detect(series: &Series) -> Vec<f64> {
    let mut detector = Detector::new();
    let observed = series
        .points
        .iter()
        .map(|&(at_ms, value)| detector.observe(at_ms, value));
    observed
        .map(|verdict| verdict.map_or(0.0, |verdict| verdict.score))
        .collect()
}

fn judge(series: &[Series], scores: &[Vec<f64>]) -> Vec<Scored> {
    series
        .iter()
        .zip(scores)
        .map(|(one, scores)| prepare(scores, &one.windows))
        .collect()
}

fn sum(series: &[&Scored], profile: Profile, threshold: f64) -> f64 {
    series
        .iter()
        .map(|one| raw(one, profile, threshold).0)
        .sum()
}

/// The null detector scores 0, the perfect one 100.
fn check_the_scorer(series: &[Series]) -> Result<(), String> {
    let windows: usize = series.iter().map(|one| one.windows.len()).sum();
    for profile in PROFILES {
        for (name, expected) in [("null", 0.0), ("perfect", 100.0)] {
            let scores = series.iter().map(|one| {
                let mut scores = vec![0.5; one.points.len()];
                if name == "perfect" {
                    one.windows.iter().for_each(|window| scores[window.0] = 1.0);
                }
                scores
            });
            let scored = judge(series, &scores.collect::<Vec<_>>());
            let (_, best) = best_threshold(&scored.iter().collect::<Vec<_>>(), profile);
            let score = normalised(best, windows, profile);
            if (score - expected).abs() > 1e-9 {
                return Err(format!(
                    "{name} detector scores {score} in {}",
                    profile.name
                ));
            }
        }
    }
    println!("the null detector scores 0, the perfect one 100, in all profiles");
    Ok(())
}

fn per_file(series: &[Series], scored: &[Scored], profile: Profile) {
    let (threshold, _) = best_threshold(&scored.iter().collect::<Vec<_>>(), profile);
    println!(
        "\n{} at its threshold: score of the file, of at most; hits; false alarms",
        profile.name
    );
    for (one, judged) in series.iter().zip(scored) {
        let (score, hits, outside) = raw(judged, profile, threshold);
        let most = one.windows.len();
        let judged = one.points.len() - probation(one.points.len());
        println!(
            "{:62} {score:6.2} of {most}  {hits}/{most}  {outside:3} in {judged}",
            one.name
        );
    }
}

/// The threshold is the only thing that the benchmark tunes: chosen on a random half, applied to the
/// other, 200 times.
fn cross_validate(scored: &[Scored]) {
    println!("\ntwo hundred random halves: threshold of the other half, own threshold");
    let mut state = 1_u64;
    for profile in PROFILES {
        let mut found = Vec::new();
        for _ in 0..200 {
            let mut order: Vec<usize> = (0..scored.len()).collect();
            for i in (1..order.len()).rev() {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                order.swap(i, (state >> 33) as usize % (i + 1));
            }
            let half = |part: &[usize]| part.iter().map(|&i| &scored[i]).collect::<Vec<_>>();
            let (tune, check) = order.split_at(order.len() / 2);
            let (tune, check) = (half(tune), half(check));
            let windows = check.iter().map(|one| one.windows).sum();
            let (threshold, _) = best_threshold(&tune, profile);
            let transferred = normalised(sum(&check, profile, threshold), windows, profile);
            let (_, own) = best_threshold(&check, profile);
            found.push((transferred, normalised(own, windows, profile)));
        }
        let mean = |f: fn(&(f64, f64)) -> f64| found.iter().map(f).sum::<f64>() / 200.0;
        let (transferred, own) = (mean(|p| p.0), mean(|p| p.1));
        let spread = (found
            .iter()
            .map(|p| (p.0 - transferred).powi(2))
            .sum::<f64>()
            / 200.0)
            .sqrt();
        println!(
            "{:20} {transferred:6.2} ± {spread:.1}   {own:6.2}",
            profile.name
        );
    }
}
