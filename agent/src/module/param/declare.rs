//! The macro that declares parameters.

/// Declares a module's parameters: the struct, its documentation, and how it is read, all from one text.
///
/// ```ignore
/// params! {
///     /// Makes sure that packages are there.       <- the module's page
///     pub struct Apt {
///         /// Names of packages.                     <- the parameter's page
///         default(Vec::new()) name | "package" | "pkg": Vec<String>,
///         /// Path of the file.
///         required path: HostPath,
///         /// Only if newer than this.
///         optional since: Option<f64>,
///         flatten attrs: FileAttrs,
///     }
///     rules [Rule::Exclusive(&["name", "deb"])]
/// }
/// ```
#[macro_export]
macro_rules! params {
    (
        $(#[doc = $page:literal])*
        pub struct $struct:ident {
            $(
                $(#[doc = $doc:literal])*
                $kind:ident $( ( $default:expr ) )? $field:ident $( | $alias:literal )* : $type:ty
            ),* $(,)?
        }
        $( rules [ $( $rule:expr ),* $(,)? ] )?
    ) => {
        $(#[doc = $page])*
        #[derive(Clone, Debug)]
        pub struct $struct {
            $( $(#[doc = $doc])* pub $field: $type, )*
        }

        impl $crate::module::Params for $struct {
            const DOC: &'static str = concat!($($page, "\n"),*);

            #[allow(unused_variables)]
            fn specs(out: &mut Vec<$crate::module::ParamSpec>) {
                $( $crate::params!(@spec $kind ($($default)?) $field [$($alias),*] $type [$($doc)*] out); )*
            }

            fn rules() -> Vec<$crate::module::Rule> {
                vec![ $( $( $rule ),* )? ]
            }

            #[allow(unused_variables)]
            fn read(args: &$crate::module::Args<'_>) -> $crate::error::Result<Self> {
                Ok(Self {
                    $( $field: $crate::params!(@read $kind ($($default)?) $field [$($alias),*] $type, args), )*
                })
            }
        }
    };

    (@spec flatten () $field:ident [] $type:ty [$($doc:literal)*] $out:ident) => {
        <$type as $crate::module::Params>::specs($out)
    };
    (@spec $kind:ident ($($default:expr)?) $field:ident [$($alias:literal),*] $type:ty [$($doc:literal)*] $out:ident) => {
        $out.push($crate::module::ParamSpec {
            name: const { $crate::module::plain_name(stringify!($field)) },
            aliases: &[$($alias),*],
            kind: <$type as $crate::module::Param>::KIND,
            required: $crate::params!(@required $kind),
            choices: <$type as $crate::module::Param>::CHOICES,
            default: $crate::params!(@default $($default)?),
            doc: concat!($($doc, "\n"),*),
            secret: <$type as $crate::module::Param>::SECRET,
            check: |value| <$type as $crate::module::Param>::from_value(value).map(drop),
        })
    };
    (@required required) => { true };
    (@required $other:ident) => { false };
    (@default) => { None };
    (@default $default:expr) => { Some(stringify!($default)) };

    (@read flatten () $field:ident [] $type:ty, $args:ident) => {
        <$type as $crate::module::Params>::read($args)?
    };
    (@read required () $field:ident [$($alias:literal),*] $type:ty, $args:ident) => {
        $args
            .read::<$type>(const { $crate::module::plain_name(stringify!($field)) }, &[$($alias),*])?
            .ok_or_else(|| $crate::error::Error::params(concat!(
                "missing required arguments: ", stringify!($field)
            )))?
    };
    (@read optional () $field:ident [$($alias:literal),*] $type:ty, $args:ident) => {
        $args
            .read::<$type>(const { $crate::module::plain_name(stringify!($field)) }, &[$($alias),*])?
            .unwrap_or_default()
    };
    (@read default ($default:expr) $field:ident [$($alias:literal),*] $type:ty, $args:ident) => {
        $args
            .read::<$type>(const { $crate::module::plain_name(stringify!($field)) }, &[$($alias),*])?
            .unwrap_or_else(|| $default)
    };
}
