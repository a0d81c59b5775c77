//! The shelf of networks, and what feeds them: weights and images.

mod budget;
mod cryptonets;
mod digits;
mod graph;
mod images;
mod imported;
mod judgement;
mod lenet5;
mod lenet5_32;
mod mobilenetv2;
mod repetition;
mod resnet50;
mod weights;

pub use graph::{Network, NodeId};
pub use images::Images;
pub use judgement::Judgement;
pub use mobilenetv2::MobileNetV2;
pub use resnet50::{ResNet, Strided};
pub use weights::{Pruning, Weights};

use std::collections::BTreeSet;
use std::rc::Rc;

use crate::Error;
use crate::parameters::Literal;
use crate::program::Options;

/// A network that can be asked for by name.
pub struct Entry {
    /// Name on the command line.
    pub name: &'static str,
    /// One line for `list networks`.
    pub summary: &'static str,
    build: fn(&Weights) -> Result<Network, Error>,
    literal: fn() -> Literal,
    weights: Option<fn() -> Weights>,
    images: Option<fn() -> Images>,
    options: fn() -> Options,
}

/// Every shipped network.
pub const NETWORKS: &[Entry] = &[
    Entry {
        name: "digits",
        summary: "trained, 8x8 handwritten digits: convolution 7@3x3, square, dense 10",
        build: digits::build,
        literal: || Literal::new(8192, &[60, 30, 30, 60], 30),
        weights: Some(digits::weights),
        images: Some(digits::images),
        options: Options::default,
    },
    Entry {
        name: "cryptonets",
        summary: "CryptoNets for 28x28 digits: convolution 5@5x5, square, dense 100, square, dense 10",
        build: cryptonets::build,
        literal: || Literal::new(16384, &[60, 33, 33, 33, 33, 60], 33),
        weights: None,
        images: None,
        options: Options::default,
    },
    Entry {
        name: "lenet5",
        summary: "LeNet-5 for 28x28 digits: two convolutions with average pools, three dense layers",
        build: lenet5::build,
        literal: || Literal::new(16384, &[60, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 60], 31),
        weights: None,
        images: None,
        options: Options::default,
    },
    Entry {
        name: "lenet5-32",
        summary: "LeNet-5 for digits padded to 32x32 as MOFHEI runs it: weights as plaintexts, quadratic activations",
        build: lenet5_32::build,
        literal: lenet5_32::literal,
        weights: None,
        images: None,
        options: lenet5_32::options,
    },
    Entry {
        name: "lenet5-32-pruned",
        summary: "lenet5-32 with 2 % of its weights left: whole filters pruned, an equal share of each layer's",
        build: lenet5_32::build_pruned,
        literal: lenet5_32::literal,
        weights: None,
        images: None,
        options: lenet5_32::options,
    },
    Entry {
        name: "repeat-multiply-scalar",
        summary: "micro-benchmark: a ciphertext times a scalar, 1,000 times on one thread",
        build: repetition::multiply_scalar,
        literal: repetition::literal,
        weights: None,
        images: None,
        options: repetition::options,
    },
    Entry {
        name: "repeat-add-scalar",
        summary: "micro-benchmark: a ciphertext plus a scalar, 1,000 times on one thread",
        build: repetition::add_scalar,
        literal: repetition::literal,
        weights: None,
        images: None,
        options: repetition::options,
    },
    mobilenetv2::<35, 96>("mobilenetv2-0.35-96"),
    mobilenetv2::<35, 128>("mobilenetv2-0.35-128"),
    mobilenetv2::<35, 160>("mobilenetv2-0.35-160"),
    mobilenetv2::<35, 192>("mobilenetv2-0.35-192"),
    mobilenetv2::<35, 224>("mobilenetv2-0.35-224"),
    mobilenetv2::<50, 96>("mobilenetv2-0.5-96"),
    mobilenetv2::<50, 128>("mobilenetv2-0.5-128"),
    mobilenetv2::<50, 160>("mobilenetv2-0.5-160"),
    mobilenetv2::<50, 192>("mobilenetv2-0.5-192"),
    mobilenetv2::<50, 224>("mobilenetv2-0.5-224"),
    mobilenetv2::<75, 96>("mobilenetv2-0.75-96"),
    mobilenetv2::<75, 128>("mobilenetv2-0.75-128"),
    mobilenetv2::<75, 160>("mobilenetv2-0.75-160"),
    mobilenetv2::<75, 192>("mobilenetv2-0.75-192"),
    mobilenetv2::<75, 224>("mobilenetv2-0.75-224"),
    mobilenetv2::<100, 96>("mobilenetv2-1.0-96"),
    mobilenetv2::<100, 128>("mobilenetv2-1.0-128"),
    mobilenetv2::<100, 160>("mobilenetv2-1.0-160"),
    mobilenetv2::<100, 192>("mobilenetv2-1.0-192"),
    mobilenetv2::<100, 224>("mobilenetv2-1.0-224"),
    mobilenetv2::<130, 96>("mobilenetv2-1.3-96"),
    mobilenetv2::<130, 128>("mobilenetv2-1.3-128"),
    mobilenetv2::<130, 160>("mobilenetv2-1.3-160"),
    mobilenetv2::<130, 192>("mobilenetv2-1.3-192"),
    mobilenetv2::<130, 224>("mobilenetv2-1.3-224"),
    mobilenetv2::<140, 96>("mobilenetv2-1.4-96"),
    mobilenetv2::<140, 128>("mobilenetv2-1.4-128"),
    mobilenetv2::<140, 160>("mobilenetv2-1.4-160"),
    mobilenetv2::<140, 192>("mobilenetv2-1.4-192"),
    mobilenetv2::<140, 224>("mobilenetv2-1.4-224"),
    Entry {
        name: "resnet50",
        summary: "ResNet-50 v1.5 (stride in the 3x3) for ImageNet as he-transformer runs it (shape only in practice)",
        build: resnet50::build,
        literal: imported::literal,
        weights: None,
        images: None,
        options: imported::options,
    },
    Entry {
        name: "resnet50-v1",
        summary: "ResNet-50 v1 (stride in the 1x1) for ImageNet as he-transformer runs it (shape only in practice)",
        build: resnet50::build_v1,
        literal: imported::literal,
        weights: None,
        images: None,
        options: imported::options,
    },
];

/// A model of the `MobileNetV2` family, with its width in percent.
const fn mobilenetv2<const WIDTH: usize, const RESOLUTION: usize>(name: &'static str) -> Entry {
    Entry {
        name,
        summary: "MobileNetV2 for ImageNet as he-transformer runs it (shape only in practice)",
        build: mobilenetv2::build::<WIDTH, RESOLUTION>,
        literal: imported::literal,
        weights: None,
        images: None,
        options: imported::options,
    }
}

/// The family whose members are named by width and resolution.
const FAMILY: &str = "mobilenetv2";

impl Entry {
    /// The network called `name`. A width may have more or fewer zeros at its end than in the list.
    ///
    /// # Errors
    /// - [`Error::UnknownVariant`] for a member of a family that there is not, with those there are.
    /// - [`Error::UnknownNetwork`] with the names there are.
    pub fn find(name: &str) -> Result<&'static Self, Error> {
        let known = |name: &str| NETWORKS.iter().find(|entry| entry.name == name);
        if let Some(entry) = known(name) {
            return Ok(entry);
        }
        if let Some(variant) = name.strip_prefix(FAMILY) {
            let found = canonical(variant).and_then(|name| known(&name));
            return found.ok_or_else(|| unknown_variant(name));
        }
        let others = NETWORKS.iter().map(|entry| entry.name).filter(|name| !name.starts_with(FAMILY));
        let names: Vec<&str> = others.chain(["mobilenetv2-WIDTH-RESOLUTION"]).collect();
        Err(Error::UnknownNetwork { found: name.to_owned(), known: names.join(", ") })
    }

    /// The choices that its lowering is shipped with: those of the experiment that it comes from.
    pub fn options(&self) -> Options {
        (self.options)()
    }

    /// The network with these weights.
    ///
    /// # Errors
    /// [`Error::Weights`] if they are given, but do not fit, or some are of no layer.
    pub fn build(&self, weights: &Weights) -> Result<Network, Error> {
        weights.check_used(self.name, &self.weight_names()?)?;
        (self.build)(weights)
    }

    /// Names of the weights that the layers ask for, such as `conv1.weights`; none in a network without weights.
    ///
    /// # Errors
    /// Those of a network that cannot be built, which is no shipped one.
    pub fn weight_names(&self) -> Result<BTreeSet<String>, Error> {
        let names = Rc::default();
        (self.build)(&Weights::Noted(Rc::clone(&names)))?;
        Ok(names.take())
    }

    /// The parameters that the network is shipped with: enough levels, 128-bit secure.
    pub fn literal(&self) -> Literal {
        (self.literal)()
    }

    /// The trained weights, if the network is shipped with some.
    pub fn weights(&self) -> Option<Weights> {
        self.weights.map(|weights| weights())
    }

    /// Test images with labels, if the network is shipped with some.
    pub fn images(&self) -> Option<Images> {
        self.images.map(|images| images())
    }
}

/// `-WIDTH-RESOLUTION` as the list writes it.
fn canonical(variant: &str) -> Option<String> {
    let (width, resolution) = variant.strip_prefix('-')?.split_once('-')?;
    let percent = (width.parse::<f64>().ok()? * 100.0).round();
    let percent = (1.0..1000.0).contains(&percent).then_some(percent as usize)?;
    Some(format!("{FAMILY}-{}-{resolution}", mobilenetv2::width_name(percent)))
}

fn unknown_variant(name: &str) -> Error {
    let widths: Vec<String> =
        mobilenetv2::WIDTHS.iter().map(|&width| mobilenetv2::width_name(width)).collect();
    let resolutions: Vec<String> = mobilenetv2::RESOLUTIONS.iter().map(usize::to_string).collect();
    let (widths, resolutions) = (widths.join(", "), resolutions.join(", "));
    Error::UnknownVariant { found: name.to_owned(), family: FAMILY, widths, resolutions }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_width_and_resolution_is_listed_once() {
        for width in mobilenetv2::WIDTHS.map(mobilenetv2::width_name) {
            for resolution in mobilenetv2::RESOLUTIONS {
                let name = format!("{FAMILY}-{width}-{resolution}");
                let entry = Entry::find(&name).unwrap();
                assert_eq!(entry.build(&Weights::Absent).unwrap().name(), name);
            }
        }
        assert_eq!(NETWORKS.iter().filter(|entry| entry.name.starts_with(FAMILY)).count(), 30);
    }

    #[test]
    fn widths_are_numbers_and_unknown_ones_name_those_there_are() {
        assert_eq!(Entry::find("mobilenetv2-1.00-96").unwrap().name, "mobilenetv2-1.0-96");
        assert_eq!(Entry::find("mobilenetv2-.5-96").unwrap().name, "mobilenetv2-0.5-96");
        for name in ["mobilenetv2", "mobilenetv2-0.4-96", "mobilenetv2-1.0-100", "mobilenetv2-x-96"] {
            let error = Entry::find(name).err().unwrap().to_string();
            assert!(error.contains("0.35, 0.5, 0.75, 1.0, 1.3, 1.4"), "{error}");
            assert!(error.contains("96, 128, 160, 192, 224"), "{error}");
        }
    }
}
