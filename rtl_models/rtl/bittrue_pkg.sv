// SPDX-License-Identifier: Apache-2.0

/// Names and constants that units share: modes, kinds, latencies, widths.
///
/// Members of the enums stand in the order of sim/modes.py, sim/datapath.py and sim/row_formats.py,
/// and a test compares them. The overflow mode ERROR exists on the host only.
package bittrue_pkg;

  /// How a cast gets rid of the bits below the new last bit; docs/rounding.md has what each mode
  /// gives.
  typedef enum logic [3:0] {
    TO_NEG           = 4'd0,
    TO_POS           = 4'd1,
    TO_ZERO          = 4'd2,
    TO_AWAY          = 4'd3,
    TIES_EVEN        = 4'd4,
    TIES_ODD         = 4'd5,
    TIES_AWAY        = 4'd6,
    TIES_ZERO        = 4'd7,
    TIES_POS         = 4'd8,
    TIES_NEG         = 4'd9,
    TRN_MAG          = 4'd10,
    JAM              = 4'd11,
    JAM_UNBIASED     = 4'd12,
    STOCHASTIC       = 4'd13,
    STOCHASTIC_EQUAL = 4'd14
  } rounding_e;

  /// What a cast does with a rounded value outside its target.
  typedef enum logic [1:0] {
    WRAP    = 2'd0,
    SAT     = 2'd1,
    SAT_SYM = 2'd2
  } overflow_e;

  /// Kinds of random generators.
  typedef enum logic [0:0] {
    XORSHIFT32 = 1'd0,
    LFSR       = 1'd1
  } generator_e;

  /// How the dot product becomes the coefficient of the update.
  typedef enum logic [1:0] {
    AFFINE         = 2'd0,
    CENTRED_TABLE  = 2'd1,
    ABSOLUTE_TABLE = 2'd2
  } link_e;

  /// How the samples of a value are stored.
  typedef enum logic [0:0] {
    INDEPENDENT = 1'd0,
    SHARED      = 1'd1
  } base_e;

  /// Windows of the training engine's address space: the three top bits of a word's address.
  ///
  /// A beat of a memory starts at a multiple of a power of two of words, its low bits first.
  typedef enum logic [2:0] {
    REGISTERS = 3'd0,
    SEEDS     = 3'd1,
    MODEL     = 3'd2,
    GRADIENT  = 3'd3,
    EXPONENTS = 3'd4,
    TABLE     = 3'd5
  } engine_window_e;

  /// Words of the window REGISTERS; from STATUS on they can only be read.
  typedef enum logic [4:0] {
    CONTROL               = 5'd0,
    COLUMNS               = 5'd1,
    STEPS                 = 5'd2,
    MULTIPLIER            = 5'd3,
    SHIFT                 = 5'd4,
    INDEX_MULTIPLIER      = 5'd5,
    INDEX_SHIFT           = 5'd6,
    STATUS                = 5'd7,
    CYCLES                = 5'd8,
    CYCLES_HIGH           = 5'd9,
    ACCUMULATOR_OVERFLOWS = 5'd10,
    INDEX_OVERFLOWS       = 5'd11,
    COEFFICIENT_OVERFLOWS = 5'd12,
    INCREMENT_OVERFLOWS   = 5'd13,
    MODEL_OVERFLOWS       = 5'd14
  } engine_register_e;

  /// Bits of CONTROL: what a write starts. CLEAR, SEED and SEND act together with START.
  typedef enum logic [1:0] {
    START = 2'd0,
    CLEAR = 2'd1,
    SEED  = 2'd2,
    SEND  = 2'd3
  } engine_command_e;

  /// Bits of STATUS: RUNNING from a start on, and DONE in its place when all has ended. The errors are
  /// of the row stream: a last beat too early, or not marked as last.
  typedef enum logic [1:0] {
    RUNNING    = 2'd0,
    DONE       = 2'd1,
    EARLY_LAST = 2'd2,
    NO_LAST    = 2'd3
  } engine_status_e;

  /// Bits of a word's address within a window of the engine.
  localparam int unsigned WindowWidth = 18;

  /// Words of the window REGISTERS.
  localparam int unsigned EngineRegisters = 32'(MODEL_OVERFLOWS) + 1;

  /// Bits of a byte address of the engine.
  localparam int unsigned EngineAddressWidth = 3 + WindowWidth + 2;

  /// Register stages of each part of the engine's units, unless a parameter says otherwise.
  localparam int unsigned DefaultStages = 1;

  /// Adder levels between two registers, unless a parameter says otherwise.
  localparam int unsigned DefaultLevels = 2;

  /// Random bits that a generator gives per word.
  localparam int unsigned WordBits = 32;

  /// The seed that replaces 0, as in sim.random_bits.generator_seed.
  localparam logic [31:0] ReplacementSeed = 32'h9E37_79B9;

  /// Whether a rounding mode consumes random bits.
  function automatic bit is_stochastic(rounding_e rounding);
    return rounding == STOCHASTIC || rounding == STOCHASTIC_EQUAL;
  endfunction

  /// The larger of two numbers.
  function automatic int unsigned larger(int unsigned a, int unsigned b);
    return a > b ? a : b;
  endfunction

  /// Bits of the exact signed result of rounding a value by `cut` bits (negative: a left shift),
  /// the carry included.
  function automatic int unsigned rounded_width(int unsigned width, bit is_signed, int cut);
    int unsigned exact = width + (is_signed ? 0 : 1);
    if (cut <= 0) return exact + unsigned'(-cut) + 1;
    return larger(exact, unsigned'(cut) + 1) - unsigned'(cut) + 1;
  endfunction

  /// Generators of 32 bits that feed lanes of `random_bits` bits.
  function automatic int unsigned generators(int unsigned lanes, int unsigned random_bits);
    return (lanes * random_bits + WordBits - 1) / WordBits;
  endfunction

  /// Bits of a packed value: its base and a bit a sample, or all its samples.
  function automatic int unsigned entry_width(int unsigned bits, int unsigned samples, base_e base);
    return base == SHARED ? bits - 1 + samples : bits * samples;
  endfunction

  /// Bits of the number of one of `tables` level tables, never none.
  function automatic int unsigned table_number_width(int unsigned tables);
    return tables < 2 ? 1 : unsigned'($clog2(tables));
  endfunction

  /// Bits of a word's place in level tables: its code, and the number of its table if there are
  /// several.
  function automatic int unsigned table_place_width(int unsigned sample_bits, int unsigned tables);
    return sample_bits + (tables < 2 ? 0 : table_number_width(tables));
  endfunction

  /// Words of 32 bits that hold so many bits.
  function automatic int unsigned word_count(int unsigned bits);
    return (bits + WordBits - 1) / WordBits;
  endfunction

  /// Bits of a word's place in a beat of so many bits.
  function automatic int unsigned beat_word_width(int unsigned bits);
    return unsigned'($clog2(word_count(bits)));
  endfunction

  /// Bits of the address of an entry of a link's table, 0 for the affine link, which has none.
  function automatic int unsigned table_address_width(link_e kind, int unsigned index_bits,
                                                      int unsigned grid_bits);
    if (kind == AFFINE) return 0;
    return index_bits + (kind == CENTRED_TABLE ? grid_bits : 0);
  endfunction

  /// Bits of a number below `count`, never none.
  function automatic int unsigned index_width(int unsigned count);
    return count < 2 ? 1 : unsigned'($clog2(count));
  endfunction

  /// Bits of a sample's record under a link: its offset, and above it the margin index of the
  /// centred table or the target of the absolute one.
  function automatic int unsigned record_width(link_e kind, int unsigned accumulator_width,
                                               int unsigned grid_width, int unsigned table_width);
    if (kind == CENTRED_TABLE) return accumulator_width + larger(grid_width, 1);
    if (kind == ABSOLUTE_TABLE) return accumulator_width + table_width;
    return accumulator_width;
  endfunction

  // Latencies, in cycles, from a unit's register stages.

  /// Of `requantizer`.
  function automatic int unsigned requantizer_latency(int unsigned round_stages,
                                                      int unsigned overflow_stages);
    return round_stages + overflow_stages;
  endfunction

  /// Of `mac`: from a pair taken to the sum that contains it.
  function automatic int unsigned mac_latency(int unsigned multiply_stages);
    return multiply_stages + 1;
  endfunction

  /// Of `adder_tree`.
  function automatic int unsigned adder_tree_latency(int unsigned lanes,
                                                     int unsigned levels_per_stage);
    if (levels_per_stage == 0) return 0;
    return (unsigned'($clog2(lanes)) + levels_per_stage - 1) / levels_per_stage;
  endfunction

  /// Of `dot_product`: from the last beat taken to the result.
  function automatic int unsigned dot_product_latency(
      int unsigned lanes, int unsigned multiply_stages, int unsigned levels_per_stage,
      int unsigned exponent_stages);
    return multiply_stages + adder_tree_latency(lanes, levels_per_stage) + exponent_stages + 1;
  endfunction

  /// Of `link_affine`.
  function automatic int unsigned link_affine_latency(
      int unsigned offset_stages, int unsigned multiply_stages, int unsigned round_stages,
      int unsigned saturate_stages);
    return offset_stages + multiply_stages + round_stages + saturate_stages;
  endfunction

  /// Of `link_centred_table` and `link_absolute_table`.
  function automatic int unsigned link_table_latency(
      int unsigned offset_stages, int unsigned index_multiply_stages,
      int unsigned index_round_stages, int unsigned table_stages, int unsigned multiply_stages,
      int unsigned round_stages, int unsigned saturate_stages);
    return offset_stages + index_multiply_stages + index_round_stages + table_stages +
        link_affine_latency(0, multiply_stages, round_stages, saturate_stages);
  endfunction

  /// Of `double_sampler`.
  function automatic int unsigned double_sampler_latency(int unsigned sample_stages,
                                                         int unsigned word_stages);
    return sample_stages + word_stages;
  endfunction

  /// Of `model_update`.
  function automatic int unsigned model_update_latency(
      int unsigned multiply_stages, int unsigned product_stages, int unsigned increment_stages,
      int unsigned model_stages);
    return multiply_stages + product_stages + increment_stages + model_stages;
  endfunction

  /// Of `engine_counters`: from a flag to the counts that contain it.
  function automatic int unsigned engine_counters_latency(int unsigned lanes);
    return adder_tree_latency(lanes, DefaultLevels) + 1;
  endfunction

  /// Of the loop of `training_engine`: from a row's last beat taken to the first beat of the model
  /// written. The model's memory is one stage, the units have their default stages.
  function automatic int unsigned training_engine_latency(int unsigned lanes, link_e kind);
    int unsigned s = DefaultStages;
    int unsigned dot = dot_product_latency(lanes, s, DefaultLevels, s);
    int unsigned link = link_affine_latency(s, s, s, s);
    if (kind != AFFINE) link = link_table_latency(s, s, s, s, s, s, s);
    return 1 + dot + link + model_update_latency(s, s, s, s);
  endfunction

endpackage
