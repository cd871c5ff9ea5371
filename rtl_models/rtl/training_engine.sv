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
  /// Write address; all of s_axil is as in `engine_registers`.
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
  localparam int unsigned GradientBits = Lanes * IncrementWidth;
  localparam int unsigned DataBits = Lanes * DataWidth;
  localparam int unsigned ModelWords = word_count(ModelBits);
  localparam int unsigned ModelWordWidth = $clog2(ModelWords);
  localparam int unsigned GradientWords = word_count(GradientBits);
  localparam int unsigned GradientWordWidth = $clog2(GradientWords);
  localparam int unsigned Generators = generators(Lanes, RandomBits);
  localparam int unsigned CounterLatency = adder_tree_latency(Lanes, 2) + 1;

  if (MaxBeats < 1 || MaxBeats << GradientWordWidth > 1 << WindowWidth) begin : gen_refuse_max_beats
    $error(
        "training_engine MaxBeats: got %0d; allowed: 1 to %0d",
        MaxBeats,
        (1 << WindowWidth) >> GradientWordWidth
    );
  end

  // Registers
  logic [3:0] commands;
  logic [ColumnsWidth-1:0] columns, last_column;
  logic [31:0] steps;
  logic [MultiplierWidth-1:0] multiplier, index_multiplier;
  logic [ShiftWidth-1:0] shift, index_shift;
  logic [7:0] window_write;
  logic [WindowWidth-1:0] write_word, read_word;
  logic [31:0] write_data, read_data;
  logic running, done, early_last, no_last;
  logic [63:0] cycles;
  logic [5*32-1:0] counts;

  engine_registers #(
    .MaxColumns     (MaxColumns),
    .MultiplierWidth(MultiplierWidth),
    .MaxShift       (MaxShift)
  ) u_registers (
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
    .status_i          ({counts, cycles, 28'd0, no_last, early_last, done, running}),
    .commands_o        (commands),
    .columns_o         (columns),
    .steps_o           (steps),
    .multiplier_o      (multiplier),
    .shift_o           (shift),
    .index_multiplier_o(index_multiplier),
    .index_shift_o     (index_shift),
    .window_write_o    (window_write),
    .write_word_o      (write_word),
    .write_data_o      (write_data),
    .read_word_o       (read_word),
    .read_data_i       (read_data)
  );

  // Order
  logic start, written, clearing, sending, sent, sequencer_done;
  logic row_valid_q, row_is_last, row_is_last_q;
  logic [BeatWidth-1:0] last_beat, row_beat, row_beat_q, write_beat, send_beat;
  logic [Lanes-1:0] last_keep;

  assign start = commands[START];
  assign last_column = columns - ColumnsWidth'(1'b1);
  assign last_beat = BeatWidth'(last_column >> LanesWidth);
  assign last_keep = ~(~Lanes'(1) << (last_column & ColumnsWidth'(Lanes - 1)));

  engine_sequencer #(
    .BeatWidth(BeatWidth)
  ) u_sequencer (
    .clk_i,
    .rst_ni,
    .start_i       (start),
    .clear_i       (commands[CLEAR]),
    .send_i        (commands[SEND]),
    .last_beat_i   (last_beat),
    .steps_i       (steps),
    .row_valid_i   (s_axis_tvalid),
    .row_last_i    (s_axis_tlast),
    .row_ready_o   (s_axis_tready),
    .row_beat_o    (row_beat),
    .row_is_last_o (row_is_last),
    .written_i     (written),
    .write_beat_o  (write_beat),
    .clearing_o    (clearing),
    .sending_o     (sending),
    .sent_i        (sent),
    .send_beat_o   (send_beat),
    .send_is_last_o(m_axis_tlast),
    .running_o     (running),
    .done_o        (sequencer_done),
    .early_last_o  (early_last),
    .no_last_o     (no_last),
    .cycles_o      (cycles)
  );

  // The host sees the end when the counts of overflows are complete.
  delay_line #(
    .Width (1),
    .Stages(CounterLatency)
  ) u_done (
    .clk_i,
    .rst_ni,
    .enable_i(1'b1),
    .data_i  (sequencer_done),
    .data_o  (done)
  );

  // A row's beat, taken, and with it the model and the exponent
  logic [RowWidth-1:0] row_q;
  logic [RecordWidth-1:0] record_q;
  logic [BeatWidth-1:0] model_beat, host_beat;
  logic [ModelBits-1:0] model, model_data, updated;
  logic [ModelWords-1:0] model_write;
  logic [ExponentWidth-1:0] exponent;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      row_valid_q <= 1'b0;
      row_is_last_q <= 1'b0;
      row_beat_q <= BeatWidth'(0);
      row_q <= RowWidth'(0);
      record_q <= RecordWidth'(0);
    end else begin
      row_valid_q <= s_axis_tvalid & s_axis_tready;
      row_is_last_q <= row_is_last;
      row_beat_q <= row_beat;
      row_q <= s_axis_tdata;
      record_q <= s_axis_tuser;
    end
  end

  // Words of the host: one part of a beat
  logic [WindowWidth-1:0] model_part, gradient_part, read_part_q;

  assign model_part = write_word & WindowWidth'((32'd1 << ModelWordWidth) - 32'd1);
  assign gradient_part = write_word & WindowWidth'((32'd1 << GradientWordWidth) - 32'd1);
  assign host_beat = BeatWidth'(write_word >> ModelWordWidth);
  assign model_write = written | clearing ? ~ModelWords'(0) :
      window_write[MODEL] ? ModelWords'(1) << model_part : ModelWords'(0);
  assign model_data = written ? updated :
      clearing ? ModelBits'(0) : ModelBits'({ModelWords{write_data}});
  assign model_beat = sending ? send_beat : running ? row_beat :
      BeatWidth'(read_word >> ModelWordWidth);
  assign read_data = 32'((32 * ModelWords)'(model) >> (32 * read_part_q));

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      read_part_q <= WindowWidth'(0);
    end else begin
      read_part_q <= read_word & WindowWidth'((32'd1 << ModelWordWidth) - 32'd1);
    end
  end

  beat_memory #(
    .Width(ModelBits),
    .Depth(MaxBeats),
    .PartWidth(ModelBits < 32 ? ModelBits : 32)
  ) u_model (
    .clk_i,
    .write_i        (model_write),
    .write_address_i(written | clearing ? write_beat : host_beat),
    .write_data_i   (model_data),
    .read_address_i (model_beat),
    .read_data_o    (model)
  );

  beat_memory #(
    .Width(ExponentWidth),
    .Depth(MaxBeats),
    .PartWidth(ExponentWidth)
  ) u_exponents (
    .clk_i,
    .write_i        (window_write[EXPONENTS]),
    .write_address_i(BeatWidth'(write_word)),
    .write_data_i   (ExponentWidth'(write_data)),
    .read_address_i (row_beat),
    .read_data_o    (exponent)
  );

  // Dot product and link. By the credits no unit ever waits but the link, for the update of its row.
  logic [AccumulatorWidth-1:0] total;
  logic [CountWidth+RecordWidth-1:0] total_user;
  logic total_valid, total_ready;
  logic [CoefficientWidth-1:0] coefficient;
  logic [IndexWidth+1:0] coefficient_user;
  logic coefficient_valid, coefficient_ready;

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
    .s_axis_tdata ({model, row_q[DataBits-1:0]}),
    .s_axis_tuser ({record_q, exponent}),
    .s_axis_tlast (row_is_last_q),
    .s_axis_tvalid(row_valid_q),
    .s_axis_tready(),
    .m_axis_tdata (total),
    .m_axis_tuser (total_user),
    .m_axis_tvalid(total_valid),
    .m_axis_tready(total_ready)
  );

  // Seeds: those of the update's generators, and above them the coefficient's
  logic [32*(Generators+1)-1:0] seeds_q;

  for (genvar g = 0; g <= Generators; g++) begin : gen_seed
    always_ff @(posedge clk_i or negedge rst_ni) begin
      if (!rst_ni) begin
        seeds_q[32*g+:32] <= 32'd0;
      end else if (window_write[SEEDS] && write_word == WindowWidth'(unsigned'(g))) begin
        seeds_q[32*g+:32] <= write_data;
      end
    end
  end

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
    .MaxShift           (MaxShift),
    .GeneratorKind      (GeneratorKind),
    .LfsrWidth          (LfsrWidth),
    .LfsrTaps           (LfsrTaps),
    .LfsrLeap           (LfsrLeap)
  ) u_link (
    .clk_i,
    .rst_ni,
    .multiplier_i      (multiplier),
    .shift_i           (shift),
    .index_multiplier_i(index_multiplier),
    .index_shift_i     (index_shift),
    .table_write_i     (window_write[TABLE]),
    .table_address_i   (write_word),
    .table_data_i      (write_data),
    .load_i            (start & commands[SEED]),
    .seed_i            (seeds_q[32*Generators+:32]),
    .s_axis_tdata      (total),
    .s_axis_tuser      (total_user[CountWidth+:RecordWidth]),
    .s_axis_tvalid     (total_valid),
    .s_axis_tready     (total_ready),
    .m_axis_tdata      (coefficient),
    .m_axis_tuser      (coefficient_user),
    .m_axis_tvalid     (coefficient_valid),
    .m_axis_tready     (coefficient_ready)
  );

  // Update: its beat is read again in every cycle until the coefficient is there
  localparam int unsigned BufferBits = ExponentWidth + ModelBits + DataBits;
  logic [BufferBits-1:0] buffered;
  logic [GradientWords-1:0] gradient_write;
  logic [GradientBits-1:0] gradient;
  logic [BeatWidth-1:0] update_beat;
  logic update_is_last;
  logic [2*Lanes-1:0] update_flags;

  assign coefficient_ready = update_is_last;
  assign gradient_write = window_write[GRADIENT] ? GradientWords'(1) << gradient_part :
      GradientWords'(0);

  beat_counter #(
    .Width(BeatWidth)
  ) u_update_beat (
    .clk_i,
    .rst_ni,
    .clear_i  (start),
    .enable_i (coefficient_valid),
    .last_i   (last_beat),
    .beat_o   (),
    .next_o   (update_beat),
    .is_last_o(update_is_last)
  );

  beat_memory #(
    .Width(BufferBits),
    .Depth(MaxBeats),
    .PartWidth(BufferBits)
  ) u_buffer (
    .clk_i,
    .write_i        (row_valid_q),
    .write_address_i(row_beat_q),
    .write_data_i   ({exponent, model, row_q[RowWidth-1-:DataBits]}),
    .read_address_i (update_beat),
    .read_data_o    (buffered)
  );

  beat_memory #(
    .Width(GradientBits),
    .Depth(MaxBeats),
    .PartWidth(GradientBits < 32 ? GradientBits : 32)
  ) u_gradient (
    .clk_i,
    .write_i        (gradient_write),
    .write_address_i(BeatWidth'(write_word >> GradientWordWidth)),
    .write_data_i   (GradientBits'({GradientWords{write_data}})),
    .read_address_i (update_beat),
    .read_data_o    (gradient)
  );

  localparam int unsigned FieldWidth = RandomBits == 0 ? 1 : RandomBits;
  logic [Lanes*FieldWidth-1:0] random;
  logic random_next;

  if (RandomBits > 0) begin : gen_random
    random_lanes #(
      .Lanes        (Lanes),
      .RandomBits   (RandomBits),
      .GeneratorKind(GeneratorKind),
      .LfsrWidth    (LfsrWidth),
      .LfsrTaps     (LfsrTaps),
      .LfsrLeap     (LfsrLeap)
    ) u_random (
      .clk_i,
      .rst_ni,
      .load_i  (start & commands[SEED]),
      .seeds_i (seeds_q[32*Generators-1:0]),
      .enable_i(random_next),
      .random_o(random)
    );
  end else begin : gen_no_random
    logic unused_random;
    assign random = (Lanes * FieldWidth)'(0);
    assign unused_random = random_next;
  end

  model_update #(
    .Lanes            (Lanes),
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
    .random_i     (random),
    .random_next_o(random_next),
    .s_axis_tdata ({gradient, buffered[ModelBits+DataBits-1:0]}),
    .s_axis_tkeep (update_is_last ? last_keep : ~Lanes'(0)),
    .s_axis_tuser ({coefficient, buffered[BufferBits-1-:ExponentWidth]}),
    .s_axis_tlast (update_is_last),
    .s_axis_tvalid(coefficient_valid),
    .s_axis_tready(),
    .m_axis_tdata (updated),
    .m_axis_tkeep (),
    .m_axis_tuser (update_flags),
    .m_axis_tlast (),
    .m_axis_tvalid(written),
    .m_axis_tready(1'b1)
  );

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

  // The model, sent
  logic sending_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      sending_q <= 1'b0;
    end else begin
      sending_q <= sending;
    end
  end

  assign m_axis_tdata  = model;
  assign m_axis_tvalid = sending_q & sending;
  assign sent = m_axis_tvalid & m_axis_tready;

  logic unused;
  assign unused = ^{window_write, coefficient_user};

endmodule
