// SPDX-License-Identifier: Apache-2.0

/// The inner loop of training in low precision: rows come in, each is dotted with the model, the
/// link turns that into a coefficient, and the update writes the model.
///
/// The host sets registers, memories and seeds over AXI4-Lite (`engine_registers`), starts the loop
/// and streams so many rows; the model is read back, or sent as a stream. The dot product of a row
/// follows the update of the row before it beat by beat: a step takes its beats and
/// bittrue_pkg::training_engine_latency(Lanes, Link) cycles more. A reset drops everything under
/// way, and leaves the contents of the memories; the host writes them anew.
module training_engine
  import bittrue_pkg::*;
#(
  /// Columns a beat, a power of two.
  parameter int unsigned Lanes = 16,
  /// Beats that a row has at most.
  parameter int unsigned MaxBeats = 64,
  /// The link.
  parameter link_e Link = AFFINE,
  /// Whether every beat brings an update row of its own, above the row of the dot product.
  parameter bit DoubleRows = 1'b0,
  /// Bits of a data word, signed.
  parameter int unsigned DataWidth = 8,
  /// Bits of a model word, signed.
  parameter int unsigned ModelWidth = 8,
  /// Rounding of an increment to the model's last bit.
  parameter rounding_e ModelRounding = STOCHASTIC,
  /// What the model does past its ends.
  parameter overflow_e ModelOverflow = SAT,
  /// Random bits a lane: 1, 2, 4, 8, 16, 32, or 0 for a deterministic rounding.
  parameter int unsigned RandomBits = 16,
  /// Add half a step of the random word where it is shorter than the cut.
  parameter bit Centered = 1'b1,
  /// Bits of the coefficient, signed.
  parameter int unsigned CoefficientWidth = 16,
  /// Rounding of the coefficient.
  parameter rounding_e CoefficientRounding = TIES_EVEN,
  /// What the coefficient does past its ends.
  parameter overflow_e CoefficientOverflow = SAT,
  /// Bits of the accumulator, signed.
  parameter int unsigned AccumulatorWidth = 32,
  /// What the accumulator does past its ends, at every beat.
  parameter overflow_e AccumulatorOverflow = SAT,
  /// Bits cut from a product.
  parameter int unsigned ProductCut = 8,
  /// Rounding of that cut.
  parameter rounding_e ProductRounding = TIES_POS,
  /// Bits of an increment, and of the gradient, signed.
  parameter int unsigned IncrementWidth = 16,
  /// Bits of an increment below the model's last bit.
  parameter int unsigned IncrementFraction = 10,
  /// What an increment does past its ends.
  parameter overflow_e IncrementOverflow = SAT,
  /// Largest block exponent, 0 for none.
  parameter int unsigned MaxExponent = 0,
  /// Bits of the scale registers, unsigned.
  parameter int unsigned MultiplierWidth = 16,
  /// Bits of a slope of the centred table, unsigned.
  parameter int unsigned SlopeWidth = 12,
  /// Bits of the absolute table's values and of the target, signed.
  parameter int unsigned TableWidth = 16,
  /// Bits of the table index, signed.
  parameter int unsigned IndexWidth = 4,
  /// Bits of the margin index.
  parameter int unsigned GridWidth = 4,
  /// Kind of the generators.
  parameter generator_e GeneratorKind = XORSHIFT32,
  /// Bits of an lfsr's register.
  parameter int unsigned LfsrWidth = 32,
  /// Feedback of an lfsr.
  parameter logic [LfsrWidth-1:0] LfsrTaps = LfsrWidth'(64'h8020_0003),
  /// Single steps of an lfsr a word.
  parameter int unsigned LfsrLeap = 32,
  /// Dependent, do not change: bits of a beat of rows and of a record.
  localparam int unsigned RowWidth = Lanes * DataWidth * (DoubleRows ? 2 : 1),
  localparam int unsigned RecordWidth = record_width(Link, AccumulatorWidth, GridWidth, TableWidth)
) (
  /// Clock.
  input  logic                          clk_i,
  /// Asynchronous reset, active low.
  input  logic                          rst_ni,
  /// Write address; all of s_axil is as in `axil_words`, the words are those of `engine_registers`.
  input  logic [EngineAddressWidth-1:0] s_axil_awaddr,
  /// High while a write address is offered.
  input  logic                          s_axil_awvalid,
  /// High when it is taken.
  output logic                          s_axil_awready,
  /// Word to write.
  input  logic [31:0]                   s_axil_wdata,
  /// Bytes of it to write.
  input  logic [3:0]                    s_axil_wstrb,
  /// High while a word is offered.
  input  logic                          s_axil_wvalid,
  /// High when it is taken.
  output logic                          s_axil_wready,
  /// What became of a write.
  output logic [1:0]                    s_axil_bresp,
  /// High while that is offered.
  output logic                          s_axil_bvalid,
  /// High when it is taken.
  input  logic                          s_axil_bready,
  /// Read address.
  input  logic [EngineAddressWidth-1:0] s_axil_araddr,
  /// High while a read address is offered.
  input  logic                          s_axil_arvalid,
  /// High when it is taken.
  output logic                          s_axil_arready,
  /// Word read.
  output logic [31:0]                   s_axil_rdata,
  /// What became of a read.
  output logic [1:0]                    s_axil_rresp,
  /// High while a word is offered.
  output logic                          s_axil_rvalid,
  /// High when it is taken.
  input  logic                          s_axil_rready,
  /// Beat of the dot product's row, lane j at DataWidth*j; above it that of the update's row, if
  /// rows are double. Padding lanes are 0.
  input  logic [RowWidth-1:0]           s_axis_tdata,
  /// Record of the sample: its offset, and what the link takes above it; the last beat's counts.
  input  logic [RecordWidth-1:0]        s_axis_tuser,
  /// High on the last beat of a row.
  input  logic                          s_axis_tlast,
  /// High while a beat is offered.
  input  logic                          s_axis_tvalid,
  /// High when it is taken.
  output logic                          s_axis_tready,
  /// Model words, lane j at ModelWidth*j.
  output logic [Lanes*ModelWidth-1:0]   m_axis_tdata,
  /// High on the last beat of the model.
  output logic                          m_axis_tlast,
  /// High while a beat of the model is offered.
  output logic                          m_axis_tvalid,
  /// High when it is taken.
  input  logic                          m_axis_tready
);

  localparam int unsigned Latency = training_engine_latency(Lanes, Link);
  localparam int unsigned MaxColumns = Lanes * MaxBeats;
  localparam int unsigned ColumnsWidth = $clog2(MaxColumns + 1);
  localparam int unsigned LanesWidth = $clog2(Lanes);
  localparam int unsigned BeatWidth = index_width(MaxBeats);
  localparam int unsigned CountWidth = $clog2(MaxBeats + 1);
  localparam int unsigned MaxShift = 62;
  localparam int unsigned ShiftWidth = index_width(MaxShift + 1);
  localparam int unsigned ExponentWidth = index_width(MaxExponent + 1);
  localparam int unsigned ModelBits = Lanes * ModelWidth;
  localparam int unsigned DataBits = Lanes * DataWidth;
  localparam int unsigned FieldWidth = larger(RandomBits, 1);
  localparam int unsigned CoefficientBits = is_stochastic(CoefficientRounding) ? 32 : 0;
  localparam int unsigned ModelWordWidth = beat_word_width(ModelBits);
  localparam int unsigned GradientWordWidth = beat_word_width(Lanes * IncrementWidth);
  localparam int unsigned WordWidth = larger(ModelWordWidth, GradientWordWidth);
  localparam int unsigned UpdateSeeds = generators(Lanes, RandomBits);
  localparam logic [7:0][31:0] Words = '{
      REGISTERS: 32'(EngineRegisters),
      SEEDS: 32'(UpdateSeeds + generators(1, CoefficientBits)),
      MODEL: 32'(MaxBeats << ModelWordWidth),
      GRADIENT: 32'(MaxBeats << GradientWordWidth),
      EXPONENTS: 32'(MaxBeats),
      TABLE: Link == AFFINE ? 32'd0 : 32'd1 << table_address_width(Link, IndexWidth, GridWidth),
      default: 32'd0
  };

  if (MaxBeats < 1 || MaxBeats << WordWidth > 1 << WindowWidth) begin : gen_refuse_max_beats
    $error(
        "training_engine MaxBeats: got %0d; allowed: 1 to %0d",
        MaxBeats,
        (1 << WindowWidth) >> WordWidth
    );
  end

  // The host: words of its bus, registers, windows
  logic write, write_is_whole, write_is_allowed, read_is_allowed;
  logic [EngineAddressWidth-1:2] write_address, next_read_address, read_address;
  logic [WindowWidth-1:0] word;
  logic [31:0] data, read_data, model_word;
  logic [32'(TABLE):0] window_write;
  logic [3:0] commands;
  logic [ColumnsWidth-1:0] columns, last_column;
  logic [31:0] steps;
  logic [MultiplierWidth-1:0] multiplier, index_multiplier;
  logic [ShiftWidth-1:0] shift, index_shift;
  logic [32'(NO_LAST):0] status;
  logic [63:0] cycles;
  logic [5*32-1:0] counts;

  axil_words u_host (
    .clk_i,
    .rst_ni,
    .s_axil_awaddr,
    .s_axil_awvalid,
    .s_axil_awready,
    .s_axil_wdata,
    .s_axil_wstrb,
    .s_axil_wvalid,
    .s_axil_wready,
    .s_axil_bresp,
    .s_axil_bvalid,
    .s_axil_bready,
    .s_axil_araddr,
    .s_axil_arvalid,
    .s_axil_arready,
    .s_axil_rdata,
    .s_axil_rresp,
    .s_axil_rvalid,
    .s_axil_rready,
    .write_o            (write),
    .write_address_o    (write_address),
    .write_data_o       (data),
    .write_is_whole_o   (write_is_whole),
    .write_is_allowed_i (write_is_allowed),
    .next_read_address_o(next_read_address),
    .read_address_o     (read_address),
    .read_data_i        (read_data),
    .read_is_allowed_i  (read_is_allowed)
  );

  engine_registers #(
    .MaxColumns     (MaxColumns),
    .MultiplierWidth(MultiplierWidth),
    .MaxShift       (MaxShift),
    .MaxExponent    (MaxExponent),
    .Words          (Words)
  ) u_registers (
    .clk_i,
    .rst_ni,
    .write_i           (write),
    .write_address_i   (write_address),
    .write_data_i      (data),
    .write_is_whole_i  (write_is_whole),
    .write_is_allowed_o(write_is_allowed),
    .read_address_i    (read_address),
    .read_data_o       (read_data),
    .read_is_allowed_o (read_is_allowed),
    .model_i           (model_word),
    .status_i          (status),
    .cycles_i          (cycles),
    .counts_i          (counts),
    .window_write_o    (window_write),
    .commands_o        (commands),
    .columns_o         (columns),
    .steps_o           (steps),
    .multiplier_o      (multiplier),
    .shift_o           (shift),
    .index_multiplier_o(index_multiplier),
    .index_shift_o     (index_shift)
  );

  // Order
  logic start, load, taken, written, clearing, looping, sending, sent;
  logic [BeatWidth-1:0] last_beat, write_beat, send_beat;
  logic [Lanes-1:0] last_keep;

  assign word = write_address[2+:WindowWidth];
  assign start = commands[START];
  assign load = start & commands[SEED];
  assign taken = s_axis_tvalid & s_axis_tready;
  assign last_column = columns - ColumnsWidth'(1'b1);
  assign last_beat = BeatWidth'(last_column >> LanesWidth);
  assign last_keep = ~(~Lanes'(1) << (last_column & ColumnsWidth'(Lanes - 1)));

  engine_sequencer #(
    .BeatWidth   (BeatWidth),
    .SettleCycles(engine_counters_latency(Lanes))
  ) u_sequencer (
    .clk_i,
    .rst_ni,
    .start_i       (start),
    .clear_i       (commands[CLEAR]),
    .send_i        (commands[SEND]),
    .last_beat_i   (last_beat),
    .steps_i       (steps),
    .taken_i       (taken),
    .written_i     (written),
    .write_beat_o  (write_beat),
    .clearing_o    (clearing),
    .looping_o     (looping),
    .sending_o     (sending),
    .sent_i        (sent),
    .send_beat_o   (send_beat),
    .send_is_last_o(m_axis_tlast),
    .running_o     (status[RUNNING]),
    .done_o        (status[DONE]),
    .cycles_o      (cycles)
  );

  // A row's beat, taken, and with it the model and the exponent
  logic row_valid, row_is_last;
  logic [BeatWidth-1:0] next_row_beat, row_beat;
  logic [RowWidth-1:0] row;
  logic [RecordWidth-1:0] record;
  logic [ModelBits-1:0] model, updated;
  logic [ExponentWidth-1:0] exponent;

  engine_intake #(
    .BeatWidth  (BeatWidth),
    .RowWidth   (RowWidth),
    .RecordWidth(RecordWidth)
  ) u_intake (
    .clk_i,
    .rst_ni,
    .start_i     (start),
    .looping_i   (looping),
    .steps_i     (steps),
    .last_beat_i (last_beat),
    .written_i   (written),
    .s_axis_tdata,
    .s_axis_tuser,
    .s_axis_tlast,
    .s_axis_tvalid,
    .s_axis_tready,
    .next_beat_o (next_row_beat),
    .valid_o     (row_valid),
    .beat_o      (row_beat),
    .is_last_o   (row_is_last),
    .row_o       (row),
    .record_o    (record),
    .early_last_o(status[EARLY_LAST]),
    .no_last_o   (status[NO_LAST])
  );

  engine_model #(
    .Width(ModelBits),
    .Depth(MaxBeats)
  ) u_model (
    .clk_i,
    .rst_ni,
    .written_i   (written),
    .clearing_i  (clearing),
    .write_beat_i(write_beat),
    .updated_i   (updated),
    .host_write_i(window_write[MODEL]),
    .host_word_i (word),
    .host_data_i (data),
    .read_word_i (next_read_address[2+:WindowWidth]),
    .read_data_o (model_word),
    .running_i   (status[RUNNING]),
    .row_beat_i  (next_row_beat),
    .sending_i   (sending),
    .send_beat_i (send_beat),
    .sent_o      (sent),
    .model_o     (model),
    .m_axis_tvalid,
    .m_axis_tready
  );

  assign m_axis_tdata = model;

  window_memory #(
    .Width(ExponentWidth),
    .Depth(MaxBeats)
  ) u_exponents (
    .clk_i,
    .host_write_i(window_write[EXPONENTS]),
    .host_word_i (word),
    .host_data_i (data),
    .write_i     (1'b0),
    .write_beat_i(BeatWidth'(0)),
    .write_data_i(ExponentWidth'(0)),
    .read_beat_i (next_row_beat),
    .read_data_o (exponent)
  );

  // Dot product and link. By the credits no unit ever waits but the link, for the update of its row.
  logic [AccumulatorWidth-1:0] total;
  logic [CountWidth+RecordWidth-1:0] total_user;
  logic total_valid, total_ready;
  logic [CoefficientWidth-1:0] coefficient;
  logic [IndexWidth+1:0] coefficient_user;
  logic coefficient_valid, coefficient_ready;
  logic [larger(CoefficientBits, 1)-1:0] coefficient_random;
  logic coefficient_random_next;

  dot_product #(
    .Lanes              (Lanes),
    .DataWidth          (DataWidth),
    .ModelWidth         (ModelWidth),
    .MaxExponent        (MaxExponent),
    .AccumulatorWidth   (AccumulatorWidth),
    .AccumulatorOverflow(AccumulatorOverflow),
    .RecordWidth        (RecordWidth),
    .CountWidth         (CountWidth)
  ) u_dot (
    .clk_i,
    .rst_ni,
    .s_axis_tdata ({model, row[DataBits-1:0]}),
    .s_axis_tuser ({record, exponent}),
    .s_axis_tlast (row_is_last),
    .s_axis_tvalid(row_valid),
    .s_axis_tready(),
    .m_axis_tdata (total),
    .m_axis_tuser (total_user),
    .m_axis_tvalid(total_valid),
    .m_axis_tready(total_ready)
  );

  engine_random #(
    .Lanes        (1),
    .RandomBits   (CoefficientBits),
    .FirstSeed    (UpdateSeeds),
    .GeneratorKind(GeneratorKind),
    .LfsrWidth    (LfsrWidth),
    .LfsrTaps     (LfsrTaps),
    .LfsrLeap     (LfsrLeap)
  ) u_coefficient_random (
    .clk_i,
    .rst_ni,
    .seed_write_i(window_write[SEEDS]),
    .seed_word_i (word),
    .seed_i      (data),
    .load_i      (load),
    .enable_i    (coefficient_random_next),
    .random_o    (coefficient_random)
  );

  engine_link #(
    .Link               (Link),
    .AccumulatorWidth   (AccumulatorWidth),
    .CoefficientWidth   (CoefficientWidth),
    .CoefficientRounding(CoefficientRounding),
    .CoefficientOverflow(CoefficientOverflow),
    .MultiplierWidth    (MultiplierWidth),
    .SlopeWidth         (SlopeWidth),
    .TableWidth         (TableWidth),
    .IndexWidth         (IndexWidth),
    .GridWidth          (GridWidth),
    .MaxShift           (MaxShift)
  ) u_link (
    .clk_i,
    .rst_ni,
    .multiplier_i      (multiplier),
    .shift_i           (shift),
    .index_multiplier_i(index_multiplier),
    .index_shift_i     (index_shift),
    .table_write_i     (window_write[TABLE]),
    .table_address_i   (word),
    .table_data_i      (data),
    .random_i          (32'(coefficient_random)),
    .random_next_o     (coefficient_random_next),
    .s_axis_tdata      (total),
    .s_axis_tuser      (total_user[CountWidth+:RecordWidth]),
    .s_axis_tvalid     (total_valid),
    .s_axis_tready     (total_ready),
    .m_axis_tdata      (coefficient),
    .m_axis_tuser      (coefficient_user),
    .m_axis_tvalid     (coefficient_valid),
    .m_axis_tready     (coefficient_ready)
  );

  // Update
  logic [Lanes*FieldWidth-1:0] random;
  logic random_next;
  logic [2*Lanes-1:0] update_flags;

  engine_random #(
    .Lanes        (Lanes),
    .RandomBits   (RandomBits),
    .GeneratorKind(GeneratorKind),
    .LfsrWidth    (LfsrWidth),
    .LfsrTaps     (LfsrTaps),
    .LfsrLeap     (LfsrLeap)
  ) u_update_random (
    .clk_i,
    .rst_ni,
    .seed_write_i(window_write[SEEDS]),
    .seed_word_i (word),
    .seed_i      (data),
    .load_i      (load),
    .enable_i    (random_next),
    .random_o    (random)
  );

  engine_update #(
    .Lanes            (Lanes),
    .MaxBeats         (MaxBeats),
    .DataWidth        (DataWidth),
    .ModelWidth       (ModelWidth),
    .ModelRounding    (ModelRounding),
    .ModelOverflow    (ModelOverflow),
    .RandomBits       (RandomBits),
    .Centered         (Centered),
    .CoefficientWidth (CoefficientWidth),
    .ProductCut       (ProductCut),
    .ProductRounding  (ProductRounding),
    .IncrementWidth   (IncrementWidth),
    .IncrementFraction(IncrementFraction),
    .IncrementOverflow(IncrementOverflow),
    .MaxExponent      (MaxExponent)
  ) u_update (
    .clk_i,
    .rst_ni,
    .start_i            (start),
    .last_beat_i        (last_beat),
    .last_keep_i        (last_keep),
    .host_write_i       (window_write[GRADIENT]),
    .host_word_i        (word),
    .host_data_i        (data),
    .row_valid_i        (row_valid),
    .row_beat_i         (row_beat),
    .row_i              (row[RowWidth-1-:DataBits]),
    .model_i            (model),
    .exponent_i         (exponent),
    .coefficient_i      (coefficient),
    .coefficient_valid_i(coefficient_valid),
    .coefficient_ready_o(coefficient_ready),
    .random_i           (random),
    .random_next_o      (random_next),
    .written_o          (written),
    .updated_o          (updated),
    .flags_o            (update_flags)
  );

  // What the host learns
  engine_counters #(
    .Lanes     (Lanes),
    .CountWidth(CountWidth)
  ) u_counters (
    .clk_i,
    .rst_ni,
    .clear_i      (start),
    .accumulator_i(total_valid & total_ready ? total_user[CountWidth-1:0] : CountWidth'(0)),
    .index_i      (coefficient_user[1] & coefficient_valid & coefficient_ready),
    .coefficient_i(coefficient_user[0] & coefficient_valid & coefficient_ready),
    .increments_i (update_flags[Lanes-1:0] & {Lanes{written}}),
    .models_i     (update_flags[2*Lanes-1:Lanes] & {Lanes{written}}),
    .counts_o     (counts)
  );

  logic unused;
  assign unused = ^{window_write, coefficient_user, next_read_address};

endmodule
