"""Layers; each module loads when one of its names is first used."""

from kerasish._lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    names={
        "kerasish.layers.base": (
            "Layer"
        ),
        "kerasish.layers.input_layer": (
            "Input InputLayer"
        ),
        "kerasish.layers.input_spec": (
            "InputSpec"
        ),
        "kerasish.layers.core": (
            "Activation Dense EinsumDense Embedding Identity Lambda Masking "
            "ReversibleEmbedding Wrapper"
        ),
        "kerasish.layers.activation": (
            "ELU LeakyReLU PReLU ReLU Softmax"
        ),
        "kerasish.layers.merging": (
            "Add Average Concatenate Dot Maximum Minimum Multiply Subtract add average "
            "concatenate dot maximum minimum multiply subtract"
        ),
        "kerasish.layers.reshaping": (
            "Cropping1D Cropping2D Cropping3D Flatten Permute RepeatVector Reshape "
            "UpSampling1D UpSampling2D UpSampling3D ZeroPadding1D ZeroPadding2D ZeroPadding3D"
        ),
        "kerasish.layers.regularization": (
            "ActivityRegularization AlphaDropout Dropout GaussianDropout GaussianNoise "
            "SpatialDropout1D SpatialDropout2D SpatialDropout3D"
        ),
        "kerasish.layers.convolutional": (
            "Conv1D Conv1DTranspose Conv2D Conv2DTranspose Conv3D Conv3DTranspose "
            "Convolution1D Convolution1DTranspose Convolution2D Convolution2DTranspose "
            "Convolution3D Convolution3DTranspose DepthwiseConv1D DepthwiseConv2D "
            "SeparableConv1D SeparableConv2D SeparableConvolution1D SeparableConvolution2D"
        ),
        "kerasish.layers.pooling": (
            "AdaptiveAveragePooling1D AdaptiveAveragePooling2D AdaptiveAveragePooling3D "
            "AdaptiveMaxPooling1D AdaptiveMaxPooling2D AdaptiveMaxPooling3D AveragePooling1D "
            "AveragePooling2D AveragePooling3D AvgPool1D AvgPool2D AvgPool3D "
            "GlobalAveragePooling1D GlobalAveragePooling2D GlobalAveragePooling3D "
            "GlobalAvgPool1D GlobalAvgPool2D GlobalAvgPool3D GlobalMaxPool1D GlobalMaxPool2D "
            "GlobalMaxPool3D GlobalMaxPooling1D GlobalMaxPooling2D GlobalMaxPooling3D "
            "MaxPool1D MaxPool2D MaxPool3D MaxPooling1D MaxPooling2D MaxPooling3D"
        ),
        "kerasish.layers.normalization": (
            "BatchNormalization GroupNormalization LayerNormalization RMSNormalization "
            "SpectralNormalization UnitNormalization"
        ),
        "kerasish.layers.recurrent": (
            "Bidirectional GRU GRUCell LSTM LSTMCell RNN SimpleRNN SimpleRNNCell "
            "StackedRNNCells TimeDistributed"
        ),
        "kerasish.layers.convlstm": "ConvLSTM1D ConvLSTM2D ConvLSTM3D",
        "kerasish.layers.attention": (
            "AdditiveAttention Attention GroupQueryAttention GroupedQueryAttention "
            "MultiHeadAttention"
        ),
        "kerasish.layers.interop": "FlaxLayer JaxLayer TFSMLayer TorchModuleWrapper",
        "kerasish.layers.preprocessing.images": (
            "CenterCrop MaxNumBoundingBoxes RandomCrop Resizing"
        ),
        "kerasish.layers.preprocessing.geometry": (
            "RandomElasticTransform RandomFlip RandomPerspective RandomRotation RandomShear "
            "RandomTranslation RandomZoom"
        ),
        "kerasish.layers.preprocessing.color": (
            "AutoContrast RandomBrightness RandomColorDegeneration RandomColorJitter "
            "RandomContrast RandomErasing RandomGaussianBlur RandomGrayscale RandomHue "
            "RandomInvert RandomPosterization RandomSaturation RandomSharpness Solarization"
        ),
        "kerasish.layers.preprocessing.equalization": (
            "ContrastLimitedAdaptiveHistogramEqualization Equalization"
        ),
        "kerasish.layers.preprocessing.mixing": (
            "AugMix CutMix MixUp RandAugment"
        ),
        "kerasish.layers.preprocessing.audio": "MelSpectrogram STFTSpectrogram",
        "kerasish.layers.preprocessing.scaling": "Rescaling",
        "kerasish.layers.preprocessing.pipeline": "Pipeline",
        "kerasish.layers.preprocessing.numbers": "Discretization Normalization",
        "kerasish.layers.preprocessing.text": "TextVectorization",
        "kerasish.layers.preprocessing.lookup": "IntegerLookup StringLookup",
        "kerasish.layers.preprocessing.categories": "CategoryEncoding HashedCrossing Hashing",
        "kerasish.layers.serialization": (
            "serialize deserialize"
        ),
    },
)
