// Options of slang; one reason for each warning that is off.
-Weverything

// A port or a slice of one is a bundle of bits; assigning it to a signed signal gives it its sign.
-Wno-sign-conversion
// A cast to a derived width changes nothing where, under some parameters, the widths are equal.
-Wno-useless-cast
// Inputs that some parameters leave unused end in a signal named `unused`, which Verilator knows.
-Wno-unused-but-set-variable
// Units publish their latency for benches, models and surrounding designs; they do not use it themselves.
-Wno-unused-parameter
// Kinds of links have a name here for the sake of the engine.
-Wno-unused-package-typedef
// Every case has a default, as the style guide asks; so members may be left to it.
-Wno-case-redundant-default
-Wno-case-enum-explicit
// An output that nobody needs is connected to nothing, in so many words.
-Wno-empty-output-connection

// A check of a parameter is an `if` with nothing but $error: no block. verible asks for the names of blocks.
-Wno-unnamed-generate
