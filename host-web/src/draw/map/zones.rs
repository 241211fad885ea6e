//! A place of each time zone, for nodes that told no place.

/// A line with a region, then its zones: name, latitude and longitude in tenths of a degree.
const ZONES: &str = include_str!("../../../map/zones.txt");

/// The latitude and the longitude, in degrees, of the city that a time zone of the tz database is named
/// after, to a tenth of a degree. Older names such as `Asia/Calcutta` are known too. A zone without a place,
/// such as `UTC`, has none.
#[must_use]
pub fn place_of(zone: &str) -> Option<(f32, f32)> {
    let (region, city) = zone.split_once('/')?;
    let mut lines = ZONES.lines().skip_while(|line| *line != region).skip(1);
    let found = lines
        .by_ref()
        .take_while(|line| line.contains(' '))
        .find_map(|line| {
            let (name, place) = line.split_once(' ')?;
            (name == city).then_some(place)
        })?;
    let (latitude, longitude) = found.split_once(' ')?;
    let degrees = |tenths: &str| {
        tenths
            .parse::<i16>()
            .ok()
            .map(|tenths| f32::from(tenths) / 10.0)
    };
    Some((degrees(latitude)?, degrees(longitude)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_have_the_place_of_their_city() {
        assert_eq!(place_of("Europe/Berlin"), Some((52.5, 13.4)));
        assert_eq!(
            place_of("America/Argentina/Buenos_Aires"),
            Some((-34.6, -58.5))
        );
        assert_eq!(place_of("Australia/Sydney"), Some((-33.9, 151.2)));
    }

    #[test]
    fn older_names_lead_to_the_same_place() {
        assert_eq!(place_of("Asia/Calcutta"), place_of("Asia/Kolkata"));
        assert_eq!(place_of("Europe/Kiev"), place_of("Europe/Kyiv"));
        assert!(place_of("US/Eastern").is_some());
    }

    #[test]
    fn what_is_no_city_has_no_place() {
        for zone in [
            "",
            "UTC",
            "Etc/GMT+3",
            "Europe",
            "Europe/",
            "/Berlin",
            "Europe/Berlin 525",
            "Mars/Base",
            "Berlin",
        ] {
            assert_eq!(place_of(zone), None, "{zone}");
        }
    }

    #[test]
    fn every_line_can_be_read() {
        let mut region = "";
        let mut zones = 0;
        for line in ZONES.lines() {
            let Some((city, _)) = line.split_once(' ') else {
                region = line;
                continue;
            };
            let (latitude, longitude) = place_of(&format!("{region}/{city}")).unwrap();
            assert!(latitude.abs() <= 90.0 && longitude.abs() <= 180.0, "{line}");
            zones += 1;
        }
        assert!(zones > 400);
    }
}
