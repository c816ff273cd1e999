//! A waveform: how loud a recording is, column by column.

/// The loudest sample of each of `columns` equal parts, 0 to 1 where the samples are of -1 to 1.
/// Fewer samples than columns are shown several times; none at all are silence.
#[must_use]
pub fn peaks(samples: &[f32], columns: usize) -> Vec<f32> {
    let edge = |column| edge(column, columns as u64, samples.len() as u64) as usize;
    let peak = |column: u64| {
        let (from, to) = (edge(column), edge(column + 1));
        let part = samples.get(from..to.max(from + 1)).unwrap_or_default();
        let loudest = part.iter().map(|sample| sample.abs()).fold(0.0, f32::max);
        loudest.min(1.0)
    };
    (0..columns as u64).map(peak).collect()
}

/// Where column `at` of `columns` begins among `count` samples. In 64 bits: of ten minutes of sound the product
/// alone is more than the browser's 32 hold.
fn edge(at: u64, columns: u64, count: u64) -> u64 {
    at * count / columns
}

/// `4:07`, or `1:02:33` from an hour on.
#[must_use]
pub fn clock(seconds: f64) -> String {
    let whole = seconds.max(0.0) as u64;
    let (hours, minutes, seconds) = (whole / 3_600, whole / 60 % 60, whole % 60);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{seconds:02}")
    } else {
        format!("{minutes}:{seconds:02}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_column_has_its_loudest_sample() {
        assert_eq!(peaks(&[0.1, -0.5, 0.2, 0.0, 2.0, f32::NAN], 3), [0.5, 0.2, 1.0]);
        assert_eq!(peaks(&[0.25, -0.5], 4), [0.25, 0.25, 0.5, 0.5]);
        assert_eq!(peaks(&[], 2), [0.0, 0.0]);
        assert!(peaks(&[1.0], 0).is_empty());
        // Nothing is left out, however the samples fall on the columns.
        for n in 1..40 {
            let mut samples = vec![0.0; 37];
            samples[n % 37] = 1.0;
            let found = peaks(&samples, 10);
            assert_eq!(found.iter().filter(|peak| **peak == 1.0).count(), 1, "{n}");
        }
    }

    #[test]
    fn half_an_hour_of_sound_falls_on_all_columns() {
        // 8,000 samples a second.
        let half_an_hour = 14_400_000;
        assert_eq!(edge(1_199, 1_200, half_an_hour), 14_388_000);
        assert_eq!(edge(1_200, 1_200, half_an_hour), half_an_hour);
        assert!(
            (0..1_200).all(|at| edge(at + 1, 1_200, half_an_hour) - edge(at, 1_200, half_an_hour) == 12_000)
        );
    }

    #[test]
    fn clocks_are_short() {
        assert_eq!(
            [0.0, 59.99, 247.0, 3_753.2, -3.0, f64::NAN].map(clock),
            ["0:00", "0:59", "4:07", "1:02:33", "0:00", "0:00"]
        );
    }
}
