//! A waveform: how loud a recording is, column by column.

/// The loudest sample of each of `columns` equal parts, 0 to 1 where the samples are of -1 to 1.
/// Fewer samples than columns are shown several times; none at all are silence.
#[must_use]
pub fn peaks(samples: &[f32], columns: usize) -> Vec<f32> {
    let peak = |column: usize| {
        let (from, to) = (
            column * samples.len() / columns,
            (column + 1) * samples.len() / columns,
        );
        let part = samples.get(from..to.max(from + 1)).unwrap_or_default();
        let loudest = part.iter().map(|sample| sample.abs()).fold(0.0, f32::max);
        loudest.min(1.0)
    };
    (0..columns).map(peak).collect()
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
    fn clocks_are_short() {
        assert_eq!(
            [0.0, 59.99, 247.0, 3_753.2, -3.0, f64::NAN].map(clock),
            ["0:00", "0:59", "4:07", "1:02:33", "0:00", "0:00"]
        );
    }
}
